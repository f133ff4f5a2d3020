"""The least a subscriber with paho-mqtt can do: receive and acknowledge, and store nothing.

    python -m tests.benchmarks.bare_paho PORT COUNT [AUTHORITY]

It prints `subscribed`, and `done` when COUNT messages are acknowledged; then it goes on. With the file of a
certificate authority it connects over TLS.
"""

import sys

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from tests.support.ports import HOST


def main() -> None:
    port, count = map(int, sys.argv[1:3])
    received = 0

    def on_message(client: Client, userdata: object, message: MQTTMessage) -> None:
        nonlocal received
        client.ack(message.mid, message.qos)
        received += 1
        if received == count:
            print("done", flush=True)

    client = Client(CallbackAPIVersion.VERSION2, client_id="bench-paho", manual_ack=True)
    client.on_connect = lambda client, *_: client.subscribe("bench/#", qos=1)
    client.on_subscribe = lambda *_: print("subscribed", flush=True)
    client.on_message = on_message
    for authority in sys.argv[3:]:
        client.tls_set(authority)
    client.connect(HOST, port)
    client.loop_forever()


if __name__ == "__main__":
    main()
