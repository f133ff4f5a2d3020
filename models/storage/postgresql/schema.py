"""How the tables are made: once, by whoever comes first."""

from models.storage.records import COUNTERS

# Grows with every change of the tables.
VERSION = 1
# Of our advisory locks: what the first of their two numbers is (the second is said where each is taken).
LOCKS = 0x6D716176
# The same for the locks of series in which a repeated reading is looked for; the second number is the series.
REPEATS = LOCKS + 1
# Whoever makes tables holds this one, until the end of the transaction.
MAKING_TABLES = 0
# The one subscriber that has the database to itself holds this one; members share it.
SUBSCRIBER = -1

_COUNTERS = "".join(f", {name} bigint NOT NULL DEFAULT 0" for name in COUNTERS)
# Texts are compared byte by byte, as SQLite does.
_TEXT = 'text COLLATE "C" NOT NULL'

# Readings and what they are looked up by lie in the order in which they came, so that a small index which
# knows the ranges of blocks is enough (BRIN).
_BRIN = "WITH (pages_per_range = 32, autosummarize = on)"
_STATEMENTS = (
    f"""CREATE TABLE series (
        id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name {_TEXT} UNIQUE, topic {_TEXT}, field {_TEXT},
        since double precision NOT NULL, retention double precision NOT NULL, gone double precision)""",
    # One row for each, changed with every transaction: the room in its page lets that be in place.
    f"""CREATE TABLE member (
        id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, client_id {_TEXT} UNIQUE,
        number bigint NOT NULL DEFAULT 0, sequence bigint NOT NULL DEFAULT 0{_COUNTERS})
        WITH (fillfactor = 20)""",
    """CREATE TABLE batch (
        member integer NOT NULL, number bigint NOT NULL, mark bigint NOT NULL, sequence bigint NOT NULL,
        readings integer NOT NULL, duplicates integer[], committed double precision NOT NULL,
        PRIMARY KEY (member, number))""",
    f"CREATE INDEX batch_committed ON batch USING brin (committed) {_BRIN}",
    # The eight-byte columns come first: so nothing is left empty between them.
    """CREATE TABLE reading (
        time double precision NOT NULL, value double precision NOT NULL, sequence bigint NOT NULL,
        series integer NOT NULL, expires integer NOT NULL) PARTITION BY LIST (expires)""",
    f"CREATE INDEX reading_sequence ON reading USING brin (sequence) {_BRIN}",
    f"CREATE INDEX reading_time ON reading USING brin (time) {_BRIN}",
    # Of blocks of sequences, each for one transaction.
    "CREATE SEQUENCE reading_block",
    # In one piece, unlike the readings: an id is known however different the times are that it comes with.
    """CREATE TABLE message_id (
        message_id bytea NOT NULL, series integer NOT NULL, expires integer NOT NULL,
        PRIMARY KEY (message_id, series))""",
    f"CREATE INDEX message_id_expires ON message_id USING brin (expires) {_BRIN}",
    f"""CREATE TABLE rejected_message (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, arrived double precision NOT NULL,
        topic {_TEXT}, payload bytea NOT NULL, size integer NOT NULL, reason {_TEXT}, detail {_TEXT})""",
    """CREATE TABLE delivery (
        member integer NOT NULL, number bigint NOT NULL, packets bytea NOT NULL,
        PRIMARY KEY (member, number))""",
    f"""CREATE TABLE subscription (
        member integer NOT NULL, topic_filter {_TEXT}, PRIMARY KEY (member, topic_filter))""",
    # One row for each, changed every second.
    f"""CREATE TABLE slot (
        number integer PRIMARY KEY, holder bigint NOT NULL, host {_TEXT}, process integer NOT NULL,
        taken double precision NOT NULL, seen double precision NOT NULL,
        in_flight integer NOT NULL DEFAULT 0, waiting_since double precision, last_commit double precision,
        short_connections integer NOT NULL DEFAULT 0, session_lost_at double precision,
        session_lost_since double precision, unmatched bigint NOT NULL DEFAULT 0,
        shared boolean NOT NULL DEFAULT false, trouble text) WITH (fillfactor = 20)""",
    """CREATE TABLE about (
        version integer NOT NULL, since double precision NOT NULL,
        kept_longer double precision NOT NULL DEFAULT 0, kept_until double precision NOT NULL DEFAULT 0)""",
    f"INSERT INTO about (version, since) VALUES ({VERSION}, floor(extract(epoch FROM now())))",
)
TABLES = frozenset(
    {
        *("series", "member", "batch", "reading", "message_id", "rejected_message", "delivery"),
        *("subscription", "slot", "about"),
    }
)
CREATE = ";\n".join(_STATEMENTS)
