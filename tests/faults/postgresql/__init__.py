"""What PostgreSQL, several members and broker clusters must bear: real servers, real kills."""
