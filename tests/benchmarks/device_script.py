"""The script one would write for the devices: a deque a series, automatic acknowledgement, nothing stored.

    python -m tests.benchmarks.device_script PORT COUNT

It prints `subscribed`, and `done` when COUNT messages have come; then it goes on.
"""

import json
import sys
import threading
import time
from collections import defaultdict, deque
from datetime import datetime

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from tests.support.ports import HOST

FIELDS = ("temperature", "humidity", "pressure", "voltage")
WINDOWS = {"1min": 60, "5min": 300, "30min": 1800}
LONGEST = max(WINDOWS.values())
port, count = map(int, sys.argv[1:])
# The readings of each series, as long as the longest window needs them.
readings: defaultdict[str, deque[tuple[float, float]]] = defaultdict(deque)
lock = threading.Lock()
received = 0


def on_message(client: Client, userdata: object, message: MQTTMessage) -> None:
    global received  # noqa: PLW0603 - it is a script
    found = json.loads(message.payload)
    at = datetime.fromisoformat(found["last_seen"]).timestamp()
    with lock:
        for field in FIELDS:
            if field in found:
                readings[f"{message.topic}/{field}"].append((at, float(found[field])))
    received += 1
    if received == count:
        print("done", flush=True)


def publish_averages() -> None:
    while True:
        time.sleep(10)
        now = time.time()
        with lock:
            for name, series in readings.items():
                while series and series[0][0] <= now - LONGEST:
                    series.popleft()
                averages = {}
                for window, seconds in WINDOWS.items():
                    values = [value for at, value in series if at > now - seconds]
                    averages[window] = sum(values) / len(values) if values else None
                client.publish(f"averages/{name}", json.dumps(averages), qos=1, retain=True)


client = Client(CallbackAPIVersion.VERSION2, client_id="bench-device-script")
client.on_connect = lambda client, *_: client.subscribe("bench/#", qos=1)
client.on_subscribe = lambda *_: print("subscribed", flush=True)
client.on_message = on_message
client.connect(HOST, port)
threading.Thread(target=publish_averages, daemon=True).start()
client.loop_forever()
