"""Brokers that nobody here wrote: what holds at each of them."""
