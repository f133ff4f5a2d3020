"""Which acknowledgement is held back, at a broker that must always wait for one."""


class LatestHeld:
    """Holds back the acknowledgement of the latest message of a connection until the next has come."""

    def __init__(self) -> None:
        self.packet_id: int | None = None

    def begin_connection(self) -> None:
        self.packet_id = None

    def take(self, packet_ids: list[int]) -> list[int]:
        """Return what is to be acknowledged of messages with `packet_ids`, the one held before among it."""
        if not packet_ids:
            return []
        before, self.packet_id = self.packet_id, packet_ids[-1]
        if before is not None:
            packet_ids = [before, *packet_ids]
        # it may have come twice: to acknowledge it once would be to acknowledge it
        return [packet_id for packet_id in packet_ids if packet_id != self.packet_id]
