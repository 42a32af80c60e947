"""What a page of the seed's form shows: messages, who is in its groups, who has its own."""

from __future__ import annotations

import json
from typing import Any, Final

from tests.sim.violations import require

KINDS: Final = frozenset({"message", "notify", "join", "depart", "delivery", "display", "restart"})
SEED: Final = "the seed's form"


class Page:
    """`got`: by conversation, the messages it was ever sent; `lists`: by group, who is in, since a
    list came on this connection; `notified`: each list that ever came, with the group and as of
    which entry; `told`: by conversation and MsgID of own messages, who has or has read them.

    Nobody may be added to a list twice, or taken off it who is not there: the seed's own page
    counts everybody that it is told of.
    """

    def __init__(self, uid: str, name: str) -> None:
        self.uid = uid
        self.got: dict[str, set[int]] = {}
        self.lists: dict[str, list[str]] = {}
        self.notified: list[tuple[str, int, list[str]]] = []
        self.told: dict[tuple[str, str], set[tuple[str, str]]] = {}
        self._name = name
        self._at: dict[str, int] = {}

    def is_left(self) -> None:
        """Its connection is over; what it has heard of groups by then holds no longer."""
        self._at.clear()
        self.lists.clear()

    def acked(self, kind: str, conv: str) -> None:
        """An own act is done, of which it hears nothing else."""
        if kind == "depart":
            self.lists.pop(conv, None)

    def shows(self, envelope: dict[str, Any]) -> None:
        """Something came. Raises Violation if it must not."""
        kind, conv = envelope["EvtType"], envelope.get("ConvID", "")
        require(kind in KINDS, SEED, f"{self._name} was sent a {kind}")
        if kind == "message":
            self._message(conv, envelope)
        elif kind == "notify":
            uids = json.loads(envelope["Body"])
            self.lists[conv] = [*uids]
            self.notified.append((conv, envelope["Seq"], uids))
        elif kind in ("join", "depart"):
            self._change(kind, conv, envelope)
        elif kind in ("delivery", "display"):
            reader = envelope["Originated"] or envelope["From"]
            require(envelope["To"] == self.uid, "receipts", f"{self._name} got another's")
            pair = "dm:" + ":".join(sorted((reader, self.uid)))
            mine = envelope["From"] if envelope["Originated"] else pair, envelope["MsgID"]
            self.told.setdefault(mine, set()).add((kind, reader))

    def _message(self, conv: str, envelope: dict[str, Any]) -> None:
        seq, at = envelope["Seq"], self._at.get(conv, 0)
        is_own = (envelope["Originated"] or envelope["From"]) == self.uid
        require(not is_own, SEED, f"{self._name} got an own message")
        require(seq > at, "one order", f"{self._name} is at {at} of {conv} and got {seq}")
        self._at[conv] = seq
        self.got.setdefault(conv, set()).add(seq)

    def _change(self, kind: str, conv: str, envelope: dict[str, Any]) -> None:
        seq, at = envelope["Seq"], self._at.get(conv, 0)
        require(seq > at, "one order", f"{self._name} is at {at} of {conv} and got {seq}")
        self._at[conv] = seq
        uids = self.lists.get(conv)
        if uids is None:
            return
        said = f"{self._name}, which lists {uids} in {conv}, got {envelope}"
        if kind == "join":
            added = json.loads(envelope["Body"])
            require(not set(added) & set(uids), SEED, said)
            uids += added
        elif envelope["Originated"] == self.uid:
            del self.lists[conv]
        else:
            require(envelope["Originated"] in uids, SEED, said)
            self.lists[conv] = [uid for uid in uids if uid != envelope["Originated"]]
