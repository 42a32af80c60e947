"""A node without a network: frames go in as bytes, what it writes is kept; calls are counted."""

from __future__ import annotations

import asyncio
import gc
import sys
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import msgspec

import webchat
from tests.memory import ManualClock, MemoryStore, settle
from webchat.adapters.memory import LoneBus, MemoryProfileCache
from webchat.chat.assembly import Chat, Settings
from webchat.protocol.websocket import TEXT, frame, unmask
from webchat.service.profiles import Profiles
from webchat.session.client import SocketIO, SocketSettings
from webchat.session.deadlines import Deadlines
from webchat.session.endpoint import Endpoint, EngineSettings
from webchat.session.handler import Request
from webchat.session.pacing import Sharing
from webchat.transport.websocket import WebSocket

_PACKAGE = str(Path(webchat.__file__).parent)
_STORES = str(Path(webchat.__file__).parent / "adapters")
_KEY = b"\x12\x34\x56\x78"


class Wire(asyncio.Transport):
    """A TCP connection that takes everything. `written`: what each single write carried."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))


class Calls:
    """Calls made by the product's own code, the stores' left out: of functions in Python and of
    those in C, by the name of the caller's or callee's code."""

    def __init__(self) -> None:
        self.python: Counter[str] = Counter()
        self.c: Counter[str] = Counter()

    @property
    def total(self) -> int:
        """All of them."""
        return self.python.total() + self.c.total()

    def note(self, frame_: FrameType, event: str, arg: Any) -> None:
        """What `sys.setprofile` calls."""
        if not _is_counted(frame_.f_code):
            return
        if event == "call":
            self.python[frame_.f_code.co_qualname] += 1
        elif event == "c_call":
            self.c[f"{frame_.f_code.co_qualname}: {arg.__name__}"] += 1


def _is_counted(code: CodeType) -> bool:
    name = code.co_filename
    return name.startswith(_PACKAGE) and not name.startswith(_STORES)


@contextmanager
def counted() -> Iterator[Calls]:
    """Count the calls made inside."""
    calls = Calls()
    sys.setprofile(calls.note)
    try:
        yield calls
    finally:
        sys.setprofile(None)


def held_bytes() -> int:
    """What lives of all that the product's own code, the stores' left out, has allocated since
    `tracemalloc` was started."""
    gc.collect()
    filters = [
        tracemalloc.Filter(True, f"{_PACKAGE}/*"),
        tracemalloc.Filter(False, f"{_STORES}/*"),
    ]
    return sum(each.size for each in tracemalloc.take_snapshot().filter_traces(filters).traces)


class Node:
    """The layers of a node from the frames down to a store in memory, in open mode."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock)
        profiles = Profiles(self.store.accounts, MemoryProfileCache(), self.clock, open_mode=True)
        self.chat = Chat(
            self.store, LoneBus(), self.clock, profiles, _nobody, Settings(open_mode=True)
        )
        self.endpoint = Endpoint(
            SocketIO(self.chat.handler, self.clock, SocketSettings()),
            self.clock,
            EngineSettings(),
            origin_allowed=lambda headers, secure: True,
        )
        self.sockets: set[Any] = set()
        self.closing: Deadlines[WebSocket] = Deadlines(self.clock, 5.0, WebSocket.abort)
        self.turns = Sharing(asyncio.get_running_loop().call_soon)

    async def person(self, uid: str) -> Person:
        """Somebody who is connected and has joined."""
        person = Person(self, uid)
        person.says("40")
        await settle()
        person.asks(0, "join", {"uid": uid, "device": "d", "cursors": {}})
        await settle()
        person.wire.written.clear()
        return person

    async def pass_time(self, seconds: float) -> None:
        """Time passes, and what follows from that happens."""
        self.clock.advance(seconds)
        await settle()


class Person:
    """A connection, and who is at it."""

    def __init__(self, node: Node, uid: str) -> None:
        self.uid = uid
        self.wire = Wire()
        self.socket = WebSocket(self.wire, node.sockets, node.closing, node.turns, 1_000_000)
        request = Request({}, {"EIO": "4"}, "127.0.0.1", 4, websocket=True)
        self.connection = node.endpoint.open(request, self.socket)

    def says(self, text: str) -> None:
        """A text frame comes from it."""
        self.socket.data_received(client_frame(text))

    def asks(self, ack_id: int, name: str, argument: object) -> None:
        """An event comes from it that asks for an ack."""
        self.says(event(ack_id, name, argument))


def event(ack_id: int, name: str, argument: object) -> str:
    """An event as a client writes it."""
    return f"42{ack_id}" + msgspec.json.encode([name, argument]).decode()


def client_frame(text: str) -> bytes:
    """A masked text frame."""
    payload = text.encode()
    head = bytearray(frame(TEXT, payload)[: -len(payload)])
    head[1] |= 0x80
    return bytes(head) + _KEY + unmask(payload, _KEY)


def message(sender: str, to: str, msg_id: str, body: str = "x" * 120) -> dict[str, object]:
    """A `message` to a person, or from a member to a group."""
    in_group = to.startswith("group_")
    return {
        "EvtType": "message", "From": to if in_group else sender,
        "Originated": sender if in_group else "", "To": to, "MsgID": msg_id,
        "Timestamp": 1_700_000_000, "Body": body,
    }  # fmt: skip


async def _nobody(token: str) -> None:
    """In open mode nobody logs in."""
