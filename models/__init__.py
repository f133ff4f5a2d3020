"""The stored data: peewee models and every query."""
