"""People and their devices, as the tests of the wire speak of them."""

from __future__ import annotations

import itertools
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

import httpx

from tests import http
from tests.servers import LogLine
from tests.wire.clients import Envelope, NodeWire, PythonWire, SeedWire, Wire

PASSWORD: Final = "correct horse battery"
Kind = Literal[
    "node-websocket",
    "node-polling",
    "node-upgrade",
    "python-websocket",
    "python-polling",
    "python-upgrade",
]
SeedKind = Literal["seed-websocket", "seed-polling", "seed-upgrade"]
"""The client library of the seed's page, which only open mode lets in."""
WIRES: Final[Mapping[str, Callable[[], Wire]]] = {
    "node": NodeWire,
    "python": PythonWire,
    "seed": SeedWire,
}
TRANSPORTS: Final[Mapping[str, list[str]]] = {
    "websocket": ["websocket"],
    "polling": ["polling"],
    "upgrade": ["polling", "websocket"],
}
_numbers = itertools.count(1)


def pair(a: str, b: str) -> str:
    """The ConvID of two people."""
    return f"dm:{min(a, b)}:{max(a, b)}"


def message(sender: str, to: str, body: str, **fields: Any) -> Envelope:
    """A direct message with a MsgID of its own."""
    return {
        "EvtType": "message", "From": sender, "Originated": "", "To": to,
        "MsgID": f"m{next(_numbers)}", "Timestamp": int(time.time()), "Body": body,
    } | fields  # fmt: skip


def receipt(kind: str, reader: str, author: str, **fields: Any) -> Envelope:
    """A `delivery` or `display` of `reader` for a message of `author`."""
    return {
        "EvtType": kind, "From": reader, "Originated": "", "To": author,
        "MsgID": "", "Timestamp": int(time.time()),
    } | fields  # fmt: skip


@dataclass
class Device:
    """One connection of a person."""

    uid: str
    wire: Wire
    joined: Envelope = field(default_factory=dict)

    async def join(self, form: object) -> Envelope:
        """Send `join` and keep its ack."""
        self.joined = await self.wire.call("join", form)
        return self.joined

    async def sync(self, **fields: Any) -> Envelope:
        """Send `sync` and return its ack."""
        return dict(await self.wire.call("sync", fields))

    async def chat(self, envelope: Envelope | str) -> Envelope:
        """Send a `chat` and return its ack."""
        return dict(await self.wire.call("chat", envelope))

    async def tell(self, to: str, body: str, **fields: Any) -> Envelope:
        """Send a message, insist on its being stored, and return its ack."""
        ack = await self.chat(message(self.uid, to, body, **fields))
        assert ack.get("ok") is True, ack
        return ack

    async def confirm(self, kind: str, author: str, **fields: Any) -> Envelope:
        """Send a receipt, insist on its being stored, and return its ack."""
        ack = await self.chat(receipt(kind, self.uid, author, **fields))
        assert ack.get("ok") is True, ack
        return ack

    async def hear(self, kind: str, **fields: Any) -> Envelope:
        """Wait for the first `chat` of that EvtType with these fields, and take it out."""
        wanted = {"EvtType": kind} | fields

        def matches(heard: tuple[str, list[Any]]) -> bool:
            name, args = heard
            return name == "chat" and all(args[0].get(key) == wanted[key] for key in wanted)

        _, args = await self.wire.inbox.take(str(wanted), matches)
        return dict(args[0])

    async def hear_error(self) -> Envelope:
        """Wait for an `error` event and return its `error`."""
        _, args = await self.wire.inbox.take("error", lambda heard: heard[0] == "error")
        assert args[0]["ok"] is False
        return dict(args[0]["error"])

    async def hear_close(self) -> None:
        """Wait until the connection is gone."""
        await self.wire.inbox.take("disconnect", lambda heard: heard[0] == "disconnect")

    def unheard(self, *kinds: str) -> list[Envelope]:
        """The `chat` events of these EvtTypes that have come and were not taken out."""
        waiting = self.wire.inbox.waiting
        return [args[0] for name, args in waiting if name == "chat" and args[0]["EvtType"] in kinds]


class Site(Protocol):
    """A server, or many that look like one. `log`: the lines that it has written."""

    url: str

    @property
    def log(self) -> list[LogLine]: ...


class Town:
    """A server and the people on it. Closes every device at the end."""

    def __init__(self, server: Site, *, open_mode: bool) -> None:
        self.server = server
        self.open_mode = open_mode
        self._tokens: dict[str, str] = {}
        self._devices: list[Device] = []
        self.http = http.Client(base_url=server.url, timeout=60)

    def person(self, name: str) -> str:
        """A new user; returns its uid, which is unlike all others of the run."""
        uid = f"{name}-{secrets.token_hex(4)}"
        if not self.open_mode:
            answer = self.http.post(
                "/api/v1/register", json={"uid": uid, "name": name, "password": PASSWORD}
            )
            assert answer.status_code == 201, answer.text
            self._tokens[uid] = answer.json()["token"]
        return uid

    def token(self, uid: str) -> str:
        """The token of the login that `person` made."""
        return self._tokens[uid]

    def log_in(self, uid: str) -> str:
        """One more login of the user; returns its token."""
        answer = self.http.post("/api/v1/login", json={"uid": uid, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["token"])

    def rest(self, uid: str, method: str, path: str, **more: Any) -> httpx.Response:
        """A REST request in the user's name."""
        token = uid if self.open_mode else self._tokens[uid]
        headers = {"Authorization": f"Bearer {token}"}
        return self.http.request(method, f"/api/v1{path}", headers=headers, **more)

    async def connect(
        self, uid: str, kind: Kind | SeedKind = "python-websocket", *, token: str | None = None
    ) -> Device:
        """A connection that has not joined yet. Raises Refused."""
        library, transport = kind.split("-")
        wire = WIRES[library]()
        secret = token if token is not None else self._tokens.get(uid)
        auth = {} if secret is None else {"token": secret}
        await wire.open(self.server.url, TRANSPORTS[transport], auth)
        device = Device(uid, wire)
        self._devices.append(device)
        return device

    async def device(
        self,
        uid: str,
        kind: Kind = "python-websocket",
        *,
        cursors: Mapping[str, int] | None = None,
        token: str | None = None,
        **fields: Any,
    ) -> Device:
        """A device that has joined in the full form."""
        device = await self.connect(uid, kind, token=token)
        form = {"device": secrets.token_hex(4), "cursors": dict(cursors or {})} | fields
        if self.open_mode:
            form["uid"] = uid
        ack = await device.join(form)
        assert ack.get("ok") is True, ack
        return device

    async def seed_device(self, uid: str, kind: Kind | SeedKind = "python-websocket") -> Device:
        """A device that has joined in the seed's form."""
        device = await self.connect(uid, kind)
        ack = await device.join(uid)
        assert ack.get("ok") is True, ack
        return device

    async def leave(self, device: Device) -> None:
        """Close a device."""
        self._devices.remove(device)
        await device.wire.close()

    async def close(self) -> None:
        """Close all that was opened."""
        for device in list(self._devices):
            await self.leave(device)
        self.http.close()


def body_of(envelope: Envelope) -> Any:
    """The JSON that a list's Body holds."""
    return json.loads(envelope["Body"])
