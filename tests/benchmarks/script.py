"""The script one would write instead: a deque a window, automatic acknowledgement, nothing stored.

    python -m tests.benchmarks.script PORT COUNT

It prints `subscribed`, and `done` when COUNT messages have come; then it goes on.
"""

import json
import sys
import threading
import time
from collections import defaultdict, deque

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from tests.support.ports import HOST

WINDOWS = {"1min": 60, "5min": 300, "30min": 1800}
port, count = map(int, sys.argv[1:])
windows: defaultdict[str, dict[str, deque[tuple[float, float]]]] = defaultdict(
    lambda: {name: deque() for name in WINDOWS}
)
lock = threading.Lock()
received = 0


def on_message(client: Client, userdata: object, message: MQTTMessage) -> None:
    global received  # noqa: PLW0603 - it is a script
    reading = json.loads(message.payload)
    with lock:
        for window in windows[message.topic].values():
            window.append((float(reading["epochtime"]), float(reading["number"])))
    received += 1
    if received == count:
        print("done", flush=True)


def publish_averages() -> None:
    while True:
        time.sleep(10)
        now = time.time()
        with lock:
            for topic, series in windows.items():
                averages = {}
                for name, window in series.items():
                    while window and window[0][0] <= now - WINDOWS[name]:
                        window.popleft()
                    averages[name] = sum(value for _, value in window) / len(window) if window else None
                client.publish(f"averages/{topic}", json.dumps(averages), qos=1, retain=True)


client = Client(CallbackAPIVersion.VERSION2, client_id="bench-script")
client.on_connect = lambda client, *_: client.subscribe("bench/#", qos=1)
client.on_subscribe = lambda *_: print("subscribed", flush=True)
client.on_message = on_message
client.connect(HOST, port)
threading.Thread(target=publish_averages, daemon=True).start()
client.loop_forever()
