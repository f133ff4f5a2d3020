"""Home Assistant: the averages as its entities, told by its MQTT discovery."""
