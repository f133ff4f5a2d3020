"""A PostgreSQL database of readings: tables, queries, transactions. The only room that knows psycopg."""
