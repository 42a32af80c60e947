"""A chat node over the memory adapters, with sockets that are lists: what people see."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from tests.memory.bus import MemoryBus, MemoryHub
from tests.memory.clock import ManualClock
from tests.memory.clock import settle as settle
from tests.memory.store import MemoryStore
from webchat.adapters.memory.cache import MemoryProfileCache
from webchat.chat.assembly import Chat, Settings
from webchat.errors import Closing
from webchat.model import Login
from webchat.protocol.socketio import Event, Packet
from webchat.service.profiles import Profiles, new_profile
from webchat.session.handler import Request

RECEIPTS = ("delivery", "display")


class FakeSocket:
    """A Socket that keeps what it is given. `takes`: cleared, its reader takes nothing; `rests`:
    how often it was to rest."""

    def __init__(self, engine: int = 4) -> None:
        self.namespace = "/"
        self.request = Request({}, {}, "127.0.0.1", engine, websocket=True)
        self.state: Any = None
        self.packets: list[tuple[str, Any]] = []
        self.acks: dict[int, Any] = {}
        self.closed = False
        self.polling = False
        self.why: Closing | None = None
        self.rests = 0
        self.takes = asyncio.Event()
        self.takes.set()

    @property
    def congested(self) -> bool:
        return not self.takes.is_set()

    def emit(self, packet: Packet) -> None:
        if not self.closed:
            name, argument = json.loads(packet.text[2:])
            self.packets.append((name, argument))

    def ack(self, ack_id: int, args: bytes) -> None:
        if not self.closed:
            (answer,) = json.loads(args)
            self.acks[ack_id] = answer
            self.packets.append(("ack", answer))

    def ack_all(self, ack_ids: Sequence[int | None], args: bytes) -> None:
        for ack_id in ack_ids:
            if ack_id is not None:
                self.ack(ack_id, args)

    def rest(self) -> None:
        self.rests += 1

    async def drained(self) -> None:
        await self.takes.wait()

    def close(self, why: Closing, message: str) -> None:
        self.why = why
        self.closed = True
        self.takes.set()


class Person:
    """A connection and the person at it."""

    def __init__(self, world: World, uid: str, engine: int = 4) -> None:
        self.world = world
        self.uid = uid
        self.socket = FakeSocket(engine)
        self._ids = count(1)

    async def connect(self) -> Person:
        handler = self.world.chat.handler
        await handler.connect(self.socket, {"token": self.uid})
        handler.connected(self.socket)
        return self

    def say(self, name: str, *args: Any, ack: bool = True) -> int:
        ack_id = next(self._ids) if ack else None
        event = Event(json.dumps([name, *args]), ack_id, ())
        self.world.chat.handler.event(self.socket, event)
        return ack_id or 0

    async def ask(self, name: str, *args: Any) -> Any:
        ack_id = self.say(name, *args)
        await settle()
        return self.socket.acks[ack_id]

    async def join(self, cursors: Mapping[str, int] | None = None, **more: Any) -> Any:
        return await self.ask("join", {"device": "d", "cursors": cursors or {}, **more})

    async def send(self, to: str, body: str, **more: Any) -> Any:
        return await self.ask("chat", self.message(to, body, **more))

    def message(self, to: str, body: str, **more: Any) -> dict[str, Any]:
        return {
            "EvtType": "message",
            "From": self.uid,
            "Originated": "",
            "To": to,
            "MsgID": f"{self.uid}-{body}",
            "Timestamp": 1,
            "Body": body,
        } | more

    def act(self, kind: str, group: str, **more: Any) -> dict[str, Any]:
        """A group's envelope."""
        return {
            "EvtType": kind,
            "From": group,
            "Originated": self.uid,
            "To": group,
            "MsgID": "",
            "Timestamp": 1,
            "Body": "",
        } | more

    async def do(self, kind: str, group: str, *uids: str, **more: Any) -> Any:
        """Act on a group; `uids` make the Body."""
        body = {"Body": json.dumps(uids)} if uids else {}
        return await self.ask("chat", self.act(kind, group, **body, **more))

    async def say_in(self, group: str, body: str, **more: Any) -> Any:
        """Send a message to a group."""
        key = {"MsgID": f"{self.uid}-{body}"}
        return await self.ask("chat", self.act("message", group, Body=body, **key | more))

    async def confirm(self, kind: str, to: str, **where: Any) -> Any:
        receipt = {"EvtType": kind, "From": self.uid, "To": to, "Timestamp": 1, **where}
        ack_id = self.say("chat", receipt)
        await self.world.pass_time(1.0)
        return self.socket.acks[ack_id]

    def leave(self) -> None:
        self.socket.closed = True
        self.world.chat.handler.disconnected(self.socket)

    def got(self, *kinds: str) -> list[dict[str, Any]]:
        """The envelopes it was sent, of these kinds, in order."""
        return [
            envelope
            for name, envelope in self.socket.packets
            if name == "chat" and (not kinds or envelope["EvtType"] in kinds)
        ]

    def order(self, conv: str) -> list[tuple[str, int]]:
        """What it was sent of a log, in order: the kinds of entries, acks, and their `Seq`."""
        return [
            ("ack" if name == "ack" else said["EvtType"], said["Seq"])
            for name, said in self.socket.packets
            if said.get("ConvID") == conv and "Seq" in said and said.get("EvtType") not in RECEIPTS
        ]

    def places(self, conv: str) -> list[int]:
        """The `Seq` of each entry and skip it was sent of a log, in order."""
        return [seq for kind, seq in self.order(conv) if kind != "ack"]

    def bodies(self) -> list[str]:
        return [envelope["Body"] for envelope in self.got("message")]


class World:
    """One node, or one of several on the same store and bus."""

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        beside: World | None = None,
        store: Any = None,
    ) -> None:
        self.clock: ManualClock = beside.clock if beside else ManualClock()
        self.store: MemoryStore = beside.store if beside else MemoryStore(self.clock)
        self.buses: MemoryHub = beside.buses if beside else MemoryHub()
        self.settings: Settings = settings or (beside.settings if beside else Settings())
        open_mode = self.settings.open_mode
        self.profiles = Profiles(
            self.store.accounts, MemoryProfileCache(), self.clock, open_mode=open_mode
        )
        self.bus = MemoryBus(self.buses)
        self.chat = Chat(
            store or self.store,
            self.bus,
            self.clock,
            self.profiles,
            self._authenticate,
            self.settings,
        )
        self.chat.start()

    async def _authenticate(self, token: str) -> Login | None:
        if await self.store.accounts.profile(token) is None:
            return None
        return Login(f"login-{token}", token, 0, 0, 2**53)

    async def register(self, *uids: str) -> None:
        for uid in uids:
            await self.store.accounts.create(new_profile(uid, uid.title()), "hash", 0)

    async def person(self, uid: str, engine: int = 4) -> Person:
        return await Person(self, uid, engine).connect()

    async def joined(self, uid: str, cursors: Mapping[str, int] | None = None) -> Person:
        person = await self.person(uid)
        assert (await person.join(cursors))["ok"]
        return person

    async def pass_time(self, seconds: float) -> None:
        await settle()
        self.clock.advance(seconds)
        await settle()


async def three(world: World, group: str, *members: str) -> tuple[Person, Person, Person]:
    """anna, ben and cleo, of whom anna has made a group with `members`."""
    anna, ben, cleo = [await world.joined(uid) for uid in ("anna", "ben", "cleo")]
    assert (await anna.do("create", group, *members))["ok"]
    return anna, ben, cleo
