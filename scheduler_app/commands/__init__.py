"""One file a command: its class `Command` is found by the file's name (`_` reads as `-`)."""
