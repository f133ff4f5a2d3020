"""The script one would write to lose nothing: each reading is inserted and committed, then acknowledged.

    python -m tests.benchmarks.storing_script PORT COUNT

It prints `subscribed`, and `done` when COUNT messages have come; then it goes on. An id that is there
already is stored once. It computes nothing.
"""

import json
import sqlite3
import sys
import tempfile

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from tests.support.ports import HOST

port, count = map(int, sys.argv[1:])
received = 0
folder = tempfile.TemporaryDirectory(prefix="storing-script-")
database = sqlite3.connect(f"{folder.name}/readings.db", check_same_thread=False)
database.execute("PRAGMA journal_mode=WAL")
database.execute("PRAGMA synchronous=FULL")
database.execute(
    "CREATE TABLE reading (id TEXT PRIMARY KEY, topic TEXT, time REAL, value REAL) WITHOUT ROWID"
)
database.execute("CREATE INDEX by_time ON reading (topic, time)")
database.commit()


def on_message(client: Client, userdata: object, message: MQTTMessage) -> None:
    global received  # noqa: PLW0603 - it is a script
    reading = json.loads(message.payload)
    row = reading["id"], message.topic, float(reading["epochtime"]), float(reading["number"])
    with database:
        database.execute("INSERT OR IGNORE INTO reading VALUES (?, ?, ?, ?)", row)
    client.ack(message.mid, message.qos)
    received += 1
    if received == count:
        print("done", flush=True)


client = Client(CallbackAPIVersion.VERSION2, client_id="bench-storing-script", manual_ack=True)
client.on_connect = lambda client, *_: client.subscribe("bench/#", qos=1)
client.on_subscribe = lambda *_: print("subscribed", flush=True)
client.on_message = on_message
client.connect(HOST, port)
client.loop_forever()
