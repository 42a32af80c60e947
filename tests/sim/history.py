"""What happened in a story, as its devices saw it: the material of the checkers."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Any, Final

FOREVER: Final = float("inf")


@dataclass
class Sent:
    """An act of a device that asks for an ack. `order`: of that device, ascending; `tries`: how
    often it was sent; `has_moved`: over one connection after another; `answer`: the ack, once it is
    final. `said_s`: when it was last sent."""

    kind: str
    conv: str
    envelope: dict[str, Any]
    order: int
    tries: int = 0
    said_s: float = 0.0
    in_flight: bool = False
    link: object = None
    has_moved: bool = False
    answer: dict[str, Any] | None = None

    @property
    def msg_id(self) -> str:
        """Its key of idempotence, with the conversation and the sender."""
        return str(self.envelope.get("MsgID", ""))


@dataclass(frozen=True)
class Ack:
    """An entry that a node called durable. `said_s`: when the act was sent; `at_s`: when the ack
    came in; `node`: which life of which node said so; `busless`: without its bus at the time."""

    conv: str
    seq: int
    msg_id: str
    uid: str
    said_s: float
    at_s: float
    node: Any
    busless: bool


@dataclass
class Visit:
    """A joined connection: from `since_s` to `until_s` at `node`. `reached`: by conversation, when
    it came to which `Seq`. `stalled`: when it did not read."""

    device: Any
    node: Any
    since_s: float
    until_s: float = FOREVER
    reached: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    stalled: list[tuple[float, float]] = field(default_factory=list)

    def reach(self, conv: str, seq: int, at_s: float) -> None:
        """It is at `seq` of `conv` now, or was further already."""
        places = self.reached.setdefault(conv, [])
        if not places or places[-1][0] < seq:
            places.append((seq, at_s))

    def reached_s(self, conv: str, seq: int) -> float:
        """When it came to `seq` of `conv`, or beyond."""
        places = self.reached.get(conv, [])
        at = bisect_left(places, (seq, 0.0))
        return places[at][1] if at < len(places) else FOREVER


class History:
    """Everything in the order of its happening, and a trace for people to read."""

    def __init__(self) -> None:
        self.trace: list[str] = []
        self.acks: list[Ack] = []
        self.refused: list[tuple[str, Sent, str]] = []
        self.visits: list[Visit] = []
        self.texts: dict[str, str] = {}
        self.errors: list[str] = []

    def note(self, at_s: float, said: str) -> None:
        """A line of the trace."""
        self.trace.append(f"{at_s:9.4f}  {said}")

    def digest(self) -> str:
        """A hash of the trace: the same for the same seed."""
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()
