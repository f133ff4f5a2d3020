"""What the tests on real processes share: brokers, roles, clients, and waiting for a condition."""
