"""From a message to a committed batch."""
