"""The door to MQTT: connections, packets, and the embedded broker."""
