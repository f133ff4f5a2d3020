"""A PostgreSQL database that several processes share: a Cluster, described in models/storage/cluster.py."""

from models.storage.cluster import Examination, Overview
from models.storage.postgresql.asking import leave, looking
from models.storage.postgresql.connection import Server
from models.storage.postgresql.examination import examine
from models.storage.postgresql.following import Following
from models.storage.postgresql.keeping import KeeperStore
from models.storage.postgresql.lead import Lead
from models.storage.postgresql.reader import StoreReader
from models.storage.postgresql.slots import Membership, all_slots


class PostgresqlCluster:
    """Nothing is opened before a method is called."""

    def __init__(self, url: str, shown: str) -> None:
        """`url` is as libpq takes it, `shown` the same without a password."""
        self._url = url
        self._shown = shown
        self._overview = self._server("averages overview")

    def membership(self, members: int) -> Membership:
        return Membership(self._url, self._shown, members)

    def lead(self) -> Lead:
        return Lead(self._server("averages lead"))

    def following(self) -> Following:
        return Following(self._server("averages following"))

    def keeper(self, member: str) -> KeeperStore:
        return KeeperStore(self._url, self._shown, member)

    def overview(self) -> Overview:
        with looking(self._overview) as connection:
            stored = StoreReader(self._overview)
            return Overview(stored.counters(), all_slots(connection), stored.size())

    def examine(self) -> Examination:
        return examine(self._server("averages check"), self._server("averages check"))

    def close(self) -> None:
        leave(self._overview)

    def _server(self, role: str) -> Server:
        # a lock that is held on a standby is held by nobody
        return Server(self._url, self._shown, role, writes=True)
