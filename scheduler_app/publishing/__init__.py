"""What goes out: publishers of statistics, the messages they write, and the outbox."""
