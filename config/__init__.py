"""Settings, read and validated once, and the configuration files that ship with the service."""
