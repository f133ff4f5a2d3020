"""What cannot be seen over MQTT of the queues of RabbitMQ, and matters where it is a cluster."""

from scheduler_app.checks.finding import Finding, Level


def warn_of_classic_queues() -> Finding:
    """Return what is to be looked at on a RabbitMQ, which numbers like no other broker."""
    text = (
        "the broker numbers like RabbitMQ. In a cluster of it, a classic queue keeps back what it has "
        "acknowledged while its node is down: have the queues of sessions be quorum queues "
        "(mqtt.durable_queue_type = quorum, before the session begins), and see what "
        "`rabbitmqctl list_queues type` says"
    )
    return Finding(Level.WARN, "queues", text)
