"""The application: command line, roles, MQTT, writer, scheduler, lifecycle, log and table."""
