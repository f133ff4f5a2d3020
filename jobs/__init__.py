"""One file a periodic job. A job gets what it needs as arguments and never sees MQTT itself."""
