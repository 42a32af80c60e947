"""A device of the seed's form: it joins with its name alone and confirms what it shows by MsgID."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from tests.sim.history import Visit
from tests.sim.network import Link
from tests.sim.violations import Violation, require
from tests.sim.visitor import Visitor

if TYPE_CHECKING:
    from tests.sim.world import World

_PATIENCE_S: Final = 10.0
_KINDS: Final = frozenset({"message", "notify", "join", "depart", "delivery", "display"})


class SeedDevice(Visitor):
    """It sends nothing but confirmations. `got`: by conversation, the messages it was ever sent;
    `came_in`: since which entry a visit of it was told of a conversation."""

    full = False
    is_idle = True
    patience_s = _PATIENCE_S

    def __init__(self, world: World, uid: str) -> None:
        super().__init__(world, uid, "page")
        self.got: dict[str, set[int]] = {}
        self._at: dict[str, int] = {}

    def stall(self, stalled: bool) -> None:
        """Pages always read."""

    def _takes_it_for_dead(self) -> bool:
        return self.world.now_s - self._heard_s > _PATIENCE_S

    def _packet(self, link: Link, text: str) -> None:
        if text == "2":
            link.say("3")
        elif text.startswith("0"):
            link.say("40" + json.dumps({"token": self.uid}))
        elif text.startswith("40"):
            link.say("421" + json.dumps(["join", self.uid]))
        elif text.startswith("431"):
            self._joined(link, json.loads(text[3:])[0])
        elif text.startswith("42"):
            name, argument = json.loads(text[2:])
            if name == "chat":
                self._chat(link, argument)
        elif not text.startswith("43"):
            raise Violation(f"no error: {self.name} was sent {text}")

    def _joined(self, link: Link, answer: dict[str, Any]) -> None:
        if not answer["ok"]:
            require(answer["error"]["code"] == "unavailable", "no error", f"{self.name}: {answer}")
            self.world.after(0.5, self._join_again, link)
            return
        self.note(f"has joined at {link.node.name}")
        self._at = {}
        self.visit = Visit(self, link.node, self.world.now_s)

    def _join_again(self, link: Link) -> None:
        if link is self.link:
            link.say("421" + json.dumps(["join", self.uid]))

    def _chat(self, link: Link, envelope: dict[str, Any]) -> None:
        kind = envelope["EvtType"]
        require(self.is_live, "one order", f"{self.name}: {kind} ahead of its join's ack")
        require(kind in _KINDS, "the seed's form", f"{self.name} was sent a {kind}")
        if kind == "message":
            self._message(link, envelope)

    def _message(self, link: Link, envelope: dict[str, Any]) -> None:
        conv, seq = envelope["ConvID"], envelope["Seq"]
        author = envelope["Originated"] or envelope["From"]
        self.note(f"gets message {seq} of {conv} {envelope['MsgID']}")
        require(author != self.uid, "the seed's form", f"{self.name} got an own message")
        at = self._at.get(conv, 0)
        require(seq > at, "one order", f"{self.name} is at {at} of {conv} and got {seq}")
        self._at[conv] = seq
        self.got.setdefault(conv, set()).add(seq)
        in_group = conv.startswith("group_")
        receipt = {
            "EvtType": "delivery",
            "From": conv if in_group else self.uid,
            "Originated": self.uid if in_group else "",
            "To": conv if in_group else author,
            "MsgID": envelope["MsgID"],
            "Timestamp": 1,
        }
        link.say("42" + json.dumps(["chat", receipt]))
