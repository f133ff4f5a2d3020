"""How the broker sends again what is not acknowledged: by that NATS and RabbitMQ are known."""

from config.settings import Settings
from scheduler_app.mqtt.numbering import Numbering, find_out_numbering
from scheduler_app.publishing.topics import check_topic


def numbering_of(settings: Settings) -> Numbering | None:
    """Return it; None if it cannot be found out."""
    return find_out_numbering(settings, check_topic(settings, f"{settings.client_id}-numbering"))
