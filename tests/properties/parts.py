"""What a device of a story is made of: its socket, what it said, what it was told and keeps."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.chat.world import FakeSocket
from webchat.protocol.socketio import Packet


class Wire(FakeSocket):
    """A socket whose packets wait until the device reads them."""

    def __init__(self) -> None:
        super().__init__()
        self.incoming: deque[tuple[str, int, Any]] = deque()

    def emit(self, packet: Packet) -> None:
        if not self.closed:
            name, argument = json.loads(packet.text[2:])
            self.incoming.append((name, 0, argument))

    def ack(self, ack_id: int, args: bytes) -> None:
        if not self.closed:
            self.incoming.append(("ack", ack_id, json.loads(args)[0]))

    def ack_all(self, ack_ids: Sequence[int | None], args: bytes) -> None:
        for ack_id in ack_ids:
            if ack_id is not None:
                self.ack(ack_id, args)


@dataclass
class Sent:
    """What a device said and has no answer to yet. `conv`: "" for `join` and `sync`."""

    kind: str
    conv: str
    envelope: dict[str, Any]
    order: int
    again: bool = False


@dataclass(frozen=True)
class Skip:
    """A `skip` as it came: from where to where."""

    conv: str
    position: int
    seq: int
    n: int
    more: bool


@dataclass
class Known:
    """What a device keeps of a conversation. `position`: the highest it was at; it has been told
    everything from `start` to there but `passed`, which a `skip` said to fetch. `n`: N there."""

    position: int = 0
    start: int = 0
    n: int = 0
    entries: dict[int, dict[str, Any]] = field(default_factory=dict)
    passed: set[int] = field(default_factory=set)
