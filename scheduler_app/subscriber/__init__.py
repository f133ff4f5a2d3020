"""The subscriber: how its parts are put together, how long it keeps what, and what it tells of itself."""
