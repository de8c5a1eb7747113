"""Speaks to an event socket through greenswitch, an event-socket library that is none of ours.

usage: greenswitch_client.py PORT PASSWORD

Prints one JSON object: what commands answered, and the event it was sent while it listened.
"""
import json
import sys

import gevent
import greenswitch

port, password = int(sys.argv[1]), sys.argv[2]
found = {}

try:
    greenswitch.InboundESL(host="127.0.0.1", port=port, password=password + "x").connect()
    found["wrong password"] = "accepted"
except Exception as refusal:  # greenswitch raises ValueError('Invalid password')
    found["wrong password"] = str(refusal)

client = greenswitch.InboundESL(host="127.0.0.1", port=port, password=password)
client.connect()
found["switchname"] = client.send("api switchname").data
found["status"] = client.send("api cluster status").data
found["unknown"] = client.send("api show calls").data

events = []
client.register_handle("fsdns::test", events.append)
client.register_handle("BACKGROUND_JOB", events.append)
found["subscribed"] = client.send("event plain BACKGROUND_JOB CUSTOM fsdns::node fsdns::test").headers["Reply-Text"]
found["job"] = client.send("bgapi cluster nodes").headers["Reply-Text"][:14]
client.send("sendevent CUSTOM\nEvent-Subclass: fsdns::test\nSaid: 100 % + ä")
with gevent.Timeout(15, False):
    while len(events) < 2:
        gevent.sleep(0.02)
for event in events:
    if event.headers["Event-Name"] == "BACKGROUND_JOB":
        # greenswitch takes the event's body for more of its last header.
        found["job output"] = " ".join(event.headers.values())
    else:
        found["event"] = [event.headers["Event-Subclass"], event.headers["Said"]]
client.stop()
print(json.dumps(found))
