"""The role that takes the averages of what several subscribers store: one leads, the others stand by."""
