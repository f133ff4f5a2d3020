"""How a role starts, runs periodic jobs, and stops."""
