"""What `try` tells of messages, and the stream file that it suggests for them."""
