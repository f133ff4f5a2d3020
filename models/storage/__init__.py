"""The tables, every query and every transaction; the only place that knows peewee or a driver."""
