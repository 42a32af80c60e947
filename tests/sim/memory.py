"""What a device of the full form keeps, by the client's rule of docs/protocol.md, to the letter.

An entry with `Seq` = position + 1 is next. A lower one is a copy and a higher one a gap, neither of
which a connection may ever bring; an own act's ack takes the place of its entry.
"""

from __future__ import annotations

from typing import Any

from tests.properties.parts import Known, Skip
from tests.sim.violations import require
from webchat.model import user_log


class Memory:
    """Survives connections. `now`: by conversation, the position on the present connection."""

    def __init__(self, uid: str, name: str) -> None:
        self.uid = uid
        self.name = name
        self.known: dict[str, Known] = {}
        self.now: dict[str, int] = {}
        self.skips: list[Skip] = []
        self.positions: dict[str, tuple[int, int, int]] = {}
        self.snapshots: dict[str, list[list[Any]]] = {}
        self._claimed: set[str] = set()
        self._flows: set[str] = set()
        """Conversations of which entries have come since their place was set."""

    def of(self, conv: str) -> Known:
        """What it keeps of a conversation."""
        return self.known.setdefault(conv, Known())

    def at(self, conv: str) -> int:
        """Its position on the present connection."""
        return self.now.get(conv, 0)

    def begin(self, cursors: dict[str, int]) -> None:
        """A connection begins at these places, the others at 0."""
        self.now = {}
        self._claimed.clear()
        self._flows.clear()
        self.go_to(cursors)

    def go_to(self, cursors: dict[str, int]) -> None:
        """These places hold from now on."""
        for conv, cursor in cursors.items():
            known = self.of(conv)
            if cursor > known.position:  # it claims more than it has
                self._claimed.add(conv)
                known.start = known.position = cursor
            self.now[conv] = cursor
            self._flows.discard(conv)

    def entry(self, conv: str, seq: int, envelope: dict[str, Any]) -> None:
        """An entry came. Raises Violation unless it is next."""
        at = self.at(conv)
        require(seq == at + 1, "one order", f"{self.name} is at {at} of {conv} and got {seq}")
        self.move(conv, seq, envelope.get("N", 0))
        self.keep(conv, seq, envelope)
        self._flow(conv, envelope["EvtType"])

    def _flow(self, conv: str, kind: str) -> None:
        if kind in ("depart", "remove"):
            self._flows.discard(conv)  # it may be who goes; what it sees next is another time there
        else:
            self._flows.add(conv)

    def keep(self, conv: str, seq: int, envelope: dict[str, Any]) -> None:
        """Remember an entry, whether its place has come or not."""
        known = self.of(conv)
        known.entries[seq] = envelope
        known.passed.discard(seq)

    def move(self, conv: str, seq: int, n: int) -> None:
        """Its position is now `seq`, where the count of messages is `n`."""
        known = self.of(conv)
        self.now[conv] = seq
        if seq >= known.position:
            known.position, known.n = seq, n

    def skip(self, conv: str, seq: int, n: int, *, more: bool) -> None:
        """A `skip` came. Raises Violation if it moves nothing, or back unasked."""
        position, known = self.at(conv), self.of(conv)
        require(seq != position, "skips", f"{self.name}: one in {conv} moves nothing ({seq})")
        if seq < position:
            require(conv in self._claimed, "skips", f"{self.name}: back in {conv} to {seq}")
            known.start = known.position = seq
        elif conv == user_log(self.uid):
            known.start = max(known.start, seq)
        else:
            self.skips.append(Skip(conv, position, seq, n, more))
            if more:
                said = f"{self.name}: live in {conv} at {position}, and passes on to {seq}"
                require(conv not in self._flows, "nobody is forgotten", said)
                known.passed |= set(range(position + 1, seq + 1)) - known.entries.keys()
        self._claimed.discard(conv)
        self.move(conv, seq, n)

    def ack(self, conv: str, seq: int, n: int, envelope: dict[str, Any], *, again: bool) -> None:
        """The ack of an own entry, which comes in its place. `again`: of an act sent again."""
        at = self.at(conv)
        if seq > at:
            next_one = seq == at + 1
            require(again or next_one, "acks in order", f"{self.name} at {at} of {conv}: {seq}")
            if next_one:
                self.move(conv, seq, n)
                if not again or envelope["EvtType"] == "depart":
                    self._flow(conv, envelope["EvtType"])  # else it may have left since
        if seq <= self.at(conv):
            known = self.of(conv)
            known.entries.setdefault(seq, envelope | {"Seq": seq})
            known.passed.discard(seq)

    def position(self, conv: str, said: tuple[int, int, int]) -> None:
        """The own positions, as the server says; the highest count."""
        require(said[1] <= said[0], "receipts", f"{self.name}: displayed beyond delivered {said}")
        before = self.positions.get(conv, (0, 0, 0))
        self.positions[conv] = (
            max(before[0], said[0]), max(before[1], said[1]), max(before[2], said[2]),
        )  # fmt: skip
