"""A device of the seed's form: it joins with its name alone and confirms what it shows by MsgID.

In open mode it may be the seed's own page, over Engine.IO 3: it sends the pings, and after its
connection was lost it may go on without a `join`, until somebody loads it anew.
"""

from __future__ import annotations

import json
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from tests.sim.device import MAY_CHANGE_NOTHING, REFUSALS, RETRIED
from tests.sim.history import Ack, Sent, Visit
from tests.sim.network import Link
from tests.sim.page import Page
from tests.sim.violations import Violation, require
from tests.sim.visitor import Visitor

if TYPE_CHECKING:
    from tests.sim.world import World

_PATIENCE_S: Final = 10.0
_PING_S: Final = 5.0
_JOIN: Final = 1
"""The id of its ack."""


class SeedDevice(Visitor):
    """It does one act after the other, each again until it is answered. `acts`: all of them;
    `page`: what it shows."""

    full = False
    patience_s = _PATIENCE_S
    window = 1

    def __init__(self, world: World, uid: str, engine: int) -> None:
        super().__init__(world, uid, "page")
        self.engine = engine
        self.page = Page(uid, self.name)
        self.acts: list[Sent] = []
        self._outbox: list[Sent] = []
        self._asked: Sent | None = None
        self._is_connected = False
        self._reloads = True
        self._orders = count(1)
        self._ids = count(_JOIN + 1)
        self._ack_id = 0

    @property
    def is_idle(self) -> bool:
        """Whether it waits for nothing."""
        return not self._outbox

    def stall(self, stalled: bool) -> None:
        """Pages always read."""

    # Connections

    def go_online(self) -> None:
        """Be connected, and joined: the page is loaded anew if it has only come back."""
        self._reloads = True
        super().go_online()
        if self.link is not None and self._is_connected:
            self._join(self.link)

    def _takes_it_for_dead(self) -> bool:
        waits_since_s = self.world.now_s if self._asked is None else self._asked.said_s
        return self.world.now_s - min(self._heard_s, waits_since_s) > _PATIENCE_S

    def cut(self, link: Link) -> None:
        """The connection is over, and what was not answered is to be sent again."""
        if link is self.link:
            self._asked = None
            self._is_connected = False
            self._reloads = self.engine == 4 or self.world.rng.random() < 0.4
            self.page.is_left()
        super().cut(link)

    def _ping(self, link: Link) -> None:
        if link is self.link:
            link.say("2")
            self.world.after(_PING_S, self._ping, link)

    def _join(self, link: Link) -> None:
        if link is self.link and not self.is_live:
            link.say(f"42{_JOIN}" + json.dumps(["join", self.uid]))

    def _lives(self, link: Link) -> None:
        self.note(f"has joined at {link.node.name}")
        self.visit = Visit(self, link.node, self.world.now_s)
        self._send_next()

    # What it does

    def act(self, kind: str, to: str, **said: Any) -> None:
        """Put an act into the outbox."""
        in_group = to.startswith("group_")
        envelope = {
            "EvtType": kind,
            "From": to if in_group else self.uid,
            "Originated": self.uid if in_group else "",
            "To": to,
            "MsgID": "",
            "Timestamp": 1,
        } | said
        conv = to if in_group else "dm:" + ":".join(sorted((self.uid, to)))
        sent = Sent(kind, conv, envelope, next(self._orders))
        self._outbox.append(sent)
        self.acts.append(sent)
        self._send_next()

    def _send_next(self) -> None:
        link, may_speak = self.link, self.is_live or (self._is_connected and not self._reloads)
        if link is None or self._asked is not None or not self._outbox or not may_speak:
            return
        sent = self._asked = self._outbox[0]
        self._ack_id = next(self._ids)
        sent.tries += 1
        sent.said_s = self.world.now_s
        sent.has_moved |= sent.link not in (None, link)
        sent.link = link
        self.note(f"sends {sent.kind} {sent.msg_id} to {sent.conv}")
        link.say(f"42{self._ack_id}" + json.dumps(["chat", json.dumps(sent.envelope)]))

    def _answered(self, link: Link, answer: dict[str, Any]) -> None:
        sent, self._asked = self._asked, None
        assert sent is not None
        if answer["ok"]:
            self._acked(link, sent, answer)
        else:
            code = answer["error"]["code"]
            self.note(f"is refused {sent.kind} {sent.msg_id}: {code}")
            if code in RETRIED:
                self.world.after(self.world.rng.uniform(0.2, 1.0), self._send_next)
                return
            require(code in REFUSALS, "no error", f"{self.name}: {sent.kind}: {code}")
            self.world.history.refused.append((self.uid, sent, code))
        self._outbox.remove(sent)
        self._send_next()

    def _acked(self, link: Link, sent: Sent, answer: dict[str, Any]) -> None:
        sent.answer = answer
        self.note(f"has the ack of {sent.kind} {answer.get('Seq')} of {sent.conv} {sent.msg_id}")
        if "Seq" not in answer:
            is_right = answer.get("held") or sent.kind in MAY_CHANGE_NOTHING
            require(bool(is_right), "acks", f"{self.name}: {sent.kind} acked without Seq")
            return
        self.page.acked(sent.kind, sent.conv)
        node, since_s = link.node, sent.said_s
        is_busless = self.world.was_busless(node, since_s)
        ack = Ack(
            sent.conv, answer["Seq"], sent.msg_id, self.uid, since_s, self.world.now_s, node,
            is_busless,
        )  # fmt: skip
        self.world.acked(ack)

    # What it hears

    def _packet(self, link: Link, text: str) -> None:
        if text == "2":
            link.say("3")
        elif text.startswith("0"):
            if self.engine == 4:
                link.say("40" + json.dumps({"token": self.uid}))
            else:
                self._ping(link)
        elif text.startswith("40"):
            self._is_connected = True
            if self._reloads:
                self._join(link)
            else:
                self._look_at_a_group()
                self._send_next()
                self.world.after(self.world.rng.uniform(1.0, 8.0), self._join, link)
        elif text.startswith(f"43{_JOIN}["):
            self._joined(link, json.loads(text[3:])[0])
        elif text.startswith(f"43{self._ack_id}["):
            self._is_there(link)
            self._answered(link, json.loads(text[text.index("[") :])[0])
        elif text.startswith("42"):
            name, argument = json.loads(text[2:])
            if name == "chat":
                self._chat(link, argument)
        elif text != "3":
            raise Violation(f"no error: {self.name} was sent {text}")

    def _joined(self, link: Link, answer: dict[str, Any]) -> None:
        if answer["ok"]:
            self._is_there(link)
            return
        require(answer["error"]["code"] == "unavailable", "no error", f"{self.name}: {answer}")
        self.world.after(0.5, self._join, link)

    def _is_there(self, link: Link) -> None:
        """It has joined; by what it did, perhaps."""
        if not self.is_live:
            self._lives(link)

    def _chat(self, link: Link, envelope: dict[str, Any]) -> None:
        kind = envelope["EvtType"]
        # What it said before it was loaded anew may have brought it in by now.
        if self.engine == 3 and (not self._reloads or self._asked is not None):
            self._is_there(link)
        require(self.is_live, "one order", f"{self.name}: {kind} ahead of its join's ack")
        conv = envelope.get("ConvID", "")
        # Of a `join` by invitation the MsgID is drawn anew each time.
        msg_id = "" if kind == "join" else envelope["MsgID"]
        by = envelope["Originated"] or envelope["From"]
        self.note(f"gets {kind} {envelope.get('Seq', '')} of {conv} {msg_id} by {by}")
        self.page.shows(envelope)
        if kind == "message":
            self._confirm(link, envelope, "delivery")
            if self.world.rng.random() < 0.4:
                late_s = self.world.rng.uniform(0.0, 3.0)
                self.world.after(late_s, self._confirm, link, envelope, "display")
        elif kind == "restart":
            self.world.after(self.world.rng.uniform(0.0, 3.0), self._restart, conv)

    def _confirm(self, link: Link, envelope: dict[str, Any], kind: str) -> None:
        """To the author; in a group its envelope is from there."""
        if link is not self.link:
            return
        conv, author = envelope["ConvID"], envelope["Originated"] or envelope["From"]
        in_group = conv.startswith("group_")
        receipt = {
            "EvtType": kind,
            "From": conv if in_group else self.uid,
            "Originated": self.uid if in_group else "",
            "To": author,
            "MsgID": envelope["MsgID"],
            "Timestamp": 1,
        }
        link.say("42" + json.dumps(["chat", json.dumps(receipt)]))

    def _look_at_a_group(self) -> None:
        """Ask who is in, while its backlog is under way."""
        groups = sorted(conv for conv in self.page.got if conv.startswith("group_"))
        if groups and not self._outbox:
            self.act("rejoin", self.world.rng.choice(groups))

    def _restart(self, conv: str) -> None:
        """Say who is in a group that the server did not know."""
        people = self.world.people
        uids = self.world.rng.sample(people, self.world.rng.randint(1, len(people)))
        self.act("rejoin", conv, Body=json.dumps(uids))
