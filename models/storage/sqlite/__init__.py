"""SQLite: its tables, every query and every transaction, of readings and of the outbox."""
