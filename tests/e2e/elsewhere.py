"""Another device of somebody at a browser: it has no window, and writes faster than anybody."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.e2e.browsing import WAIT_MS
from tests.e2e.person import Person
from tests.servers import Server


def write_elsewhere(server: Server, person: Person, to: str, texts: Sequence[str]) -> None:
    """Send these messages to the user `to`, in order; all are stored when it returns."""
    messages = (_message(person.uid, to, text) for text in texts)
    _send(server, person, list(messages))


def make_group_elsewhere(server: Server, person: Person, name: str, *people: Person) -> str:
    """Make a group of these people. Returns its id."""
    group = f"group_{uuid.uuid4()}"
    uids = json.dumps([each.uid for each in people])
    acts = {"EvtType": "create", "From": group, "MsgID": "", "Name": name}
    _send(server, person, [_message(person.uid, group, uids) | acts])
    return group


def _send(server: Server, person: Person, envelopes: Sequence[dict[str, Any]]) -> None:
    cookies = "; ".join(f"{each['name']}={each['value']}" for each in person.context.cookies())
    url = f"{server.url.replace('http', 'ws', 1)}/socket.io/?EIO=4&transport=websocket"
    fields = {"Cookie": cookies, "Origin": server.url}
    with connect(url, additional_headers=fields) as device:
        device.send("40")
        _until(device, "40")
        device.send('420["join",{}]')
        _until(device, "430")
        for ack_id, envelope in enumerate(envelopes, 1):
            device.send(f"42{ack_id}{json.dumps(['chat', envelope])}")
        for ack_id in range(1, len(envelopes) + 1):
            assert '"ok":true' in _until(device, f"43{ack_id}["), "it was refused"


def _message(sender: str, to: str, text: str) -> dict[str, Any]:
    return {
        "EvtType": "message",
        "From": sender,
        "Originated": sender,
        "To": to,
        "MsgID": str(uuid.uuid4()),
        "Timestamp": 0,
        "Body": text,
    }


def _until(device: ClientConnection, start: str) -> str:
    """The next packet that begins like that; others are passed over."""
    while True:
        packet = device.recv(timeout=WAIT_MS / 1000)
        assert isinstance(packet, str)
        if packet.startswith(start):
            return packet
