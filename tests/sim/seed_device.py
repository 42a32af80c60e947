"""A device of the seed's form: it joins with its name alone and confirms what it shows by MsgID."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from tests.sim.history import Visit
from tests.sim.network import Link
from tests.sim.violations import Violation, require

if TYPE_CHECKING:
    from tests.sim.world import World

_PATIENCE_S: Final = 10.0
_KINDS: Final = frozenset({"message", "notify", "join", "depart", "delivery", "display"})


class SeedDevice:
    """It sends nothing but confirmations. `got`: by conversation, the messages it was ever sent;
    `came_in`: since which entry a visit of it was told of a conversation."""

    full = False
    is_idle = True

    def __init__(self, world: World, uid: str) -> None:
        self.world = world
        self.uid = uid
        self.name = f"{uid}'s page"
        self.got: dict[str, set[int]] = {}
        self.link: Link | None = None
        self.visit: Visit | None = None
        self.wants_online = False
        self.stalled = False
        self._at: dict[str, int] = {}
        self._heard_s = 0.0

    @property
    def is_live(self) -> bool:
        """Whether it has joined."""
        return self.visit is not None

    def go_online(self) -> None:
        """Be connected from now on."""
        self.wants_online = True
        self._connect()

    def go_offline(self) -> None:
        """Be away."""
        self.wants_online = False
        if self.link is not None:
            self.link.drop()

    def stall(self, stalled: bool) -> None:
        """Pages always read."""

    def _connect(self) -> None:
        if not self.wants_online or self.link is not None:
            return
        node = self.world.some_node()
        if node is None:
            self._come_back_later()
            return
        self.link = Link(self.world.loop, self.world.rng, self, node)
        self._heard_s = self.world.now_s
        self.link.connect()
        self.world.after(_PATIENCE_S, self._look_after, self.link)

    def _come_back_later(self) -> None:
        self.world.after(self.world.rng.uniform(0.05, 0.8), self._connect)

    def _look_after(self, link: Link) -> None:
        if link is self.link:
            if self.world.now_s - self._heard_s > _PATIENCE_S:
                link.drop()
            else:
                self.world.after(1.0, self._look_after, link)

    def cut(self, link: Link) -> None:
        """The connection is over."""
        if link is not self.link:
            return
        self.note("is cut off")
        self.link = None
        if self.visit is not None:
            self.visit.until_s = self.world.now_s
            self.visit = None
        if self.wants_online:
            self._come_back_later()

    def note(self, said: str) -> None:
        """A line of the trace."""
        self.world.history.note(self.world.now_s, f"{self.name} {said}")

    def heard(self, link: Link, texts: list[str]) -> None:
        """Packets came."""
        for text in texts:
            if link is self.link:
                self._heard_s = self.world.now_s
                try:
                    self._packet(link, text)
                except Violation as violation:
                    self.world.broke(violation)

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
