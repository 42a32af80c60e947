"""A device as docs/protocol.md describes it: what it says, what it hears, and what it remembers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import count
from typing import Any

from tests.chat.world import World
from tests.properties.parts import Sent, Wire
from tests.sim.memory import Memory
from webchat.model import user_log
from webchat.protocol.socketio import Event
from webchat.session.handler import ConnectRefused

REFUSALS = {
    "not_a_member", "group_closed", "conflict", "unavailable", "forbidden", "bad_request",
}  # fmt: skip
_ENTRIES = {"message", "create", "join", "depart", "edit", "delete", "react", "conversation"}


class Device(Memory):
    """One device of a user, on or off. It survives its connections."""

    def __init__(self, uid: str, name: str) -> None:
        super().__init__(uid, f"{uid}'s {name}")
        self.world: World | None = None
        self.wire: Wire | None = None
        self.stalled = False
        self.outbox: dict[str, Sent] = {}
        self.acked: list[tuple[str, str, dict[str, Any], int]] = []
        self.lists: dict[str, tuple[int, list[str]]] = {}
        self.joined = False
        self._asked: dict[int, Sent] = {}
        self._ids = count(1)
        self._orders = count(1)
        self._newest_ack: dict[str, int] = {}
        self._log_unnamed = False

    def __repr__(self) -> str:
        return self.name

    # Connections

    async def connect(self, world: World, cursors: Mapping[str, int], *, halves: bool) -> None:
        """A new connection, if it is let in; with `halves` the cursors come in two packets."""
        wire, handler = Wire(), world.chat.handler
        try:
            await handler.connect(wire, {"token": self.uid})
        except ConnectRefused:
            return
        handler.connected(wire)
        self.world, self.wire = world, wire
        self._asked.clear()
        self._newest_ack.clear()
        self.positions.clear()
        self.begin({})
        self.joined = self.stalled = False
        self._log_unnamed = user_log(self.uid) not in cursors
        named = list(cursors.items())
        cut = len(named) // 2 if halves else len(named)
        first, second = dict(named[:cut]), dict(named[cut:])
        self._say("join", Sent("join", "", {"cursors": first}, 0), more=halves)
        if halves:
            self._say("sync", Sent("sync", "", {"cursors": second}, 0))

    def cut(self, reads: int) -> None:
        """The connection ends after the next `reads` packets that wait; the others are lost."""
        assert self.world is not None
        assert self.wire is not None
        self.read(reads)
        self.wire.closed = True
        self.wire.takes.set()
        self.world.chat.handler.disconnected(self.wire)
        self.world = self.wire = None

    def stall(self, stalled: bool) -> None:
        """Stop or go on reading."""
        assert self.wire is not None
        self.stalled = stalled
        if stalled:
            self.wire.takes.clear()
        else:
            self.wire.takes.set()

    # What it says

    def _say(self, name: str, sent: Sent, *, ack: bool = True, **more: Any) -> None:
        assert self.world is not None
        assert self.wire is not None
        ack_id = next(self._ids) if ack else None
        if ack_id is not None:
            self._asked[ack_id] = sent
        event = Event(json.dumps([name, sent.envelope | more]), ack_id, ())
        self.world.chat.handler.event(self.wire, event)

    def sync(self, cursors: Mapping[str, int], receipts: list[str] | None = None) -> None:
        """New places, or snapshots."""
        said = {"cursors": dict(cursors), "receipts": receipts or []}
        self._say("sync", Sent("sync", "", said, 0))

    def chat(self, kind: str, to: str, *, ack: bool = True, **said: Any) -> None:
        """An act on a group or, if `to` is a person, on the pair with them."""
        in_group = to.startswith("group_")
        envelope = {
            "EvtType": kind,
            "From": to if in_group else self.uid,
            "Originated": self.uid if in_group else "",
            "To": to,
            "Timestamp": 1,
        } | said
        conv = to if in_group else "dm:" + ":".join(sorted((self.uid, to)))
        sent = Sent(kind, conv, envelope, next(self._orders))
        if said.get("MsgID"):
            self.outbox[said["MsgID"]] = sent
        self._say("chat", sent, ack=ack or not said.get("MsgID"))

    def resend(self, msg_id: str) -> None:
        """What it has no answer to, again."""
        sent = self.outbox[msg_id]
        sent.again = True
        self._say("chat", sent)

    # What it hears

    def read(self, most: int = 1 << 30) -> None:
        """Take what has come in."""
        assert self.wire is not None
        incoming = self.wire.incoming
        while incoming and most > 0:
            most -= 1
            name, ack_id, argument = incoming.popleft()
            if name == "ack":
                self._answered(self._asked.pop(ack_id), argument)
            elif name == "error":
                self._refused(argument, argument["MsgID"], joined=True)
            else:
                assert name == "chat"
                self._heard(argument)

    def _heard(self, envelope: dict[str, Any]) -> None:
        kind, conv = envelope["EvtType"], envelope["ConvID"]
        assert self.joined, f"{self} was sent {kind} before its join was answered"
        if kind in _ENTRIES:
            self._entry(conv, envelope)
        elif kind == "skip":
            self._skipped(conv, envelope)
        elif kind == "position":
            said = (envelope["delivered"], envelope["displayed"], envelope["N"])
            self.position(conv, said)
        elif kind == "notify":
            self.lists[conv] = (envelope["Seq"], json.loads(envelope["Body"]))
        elif kind == "receipts":
            self.snapshots[conv] = json.loads(envelope["Body"])
        else:
            assert kind in ("delivery", "display"), kind
            assert envelope["To"] == self.uid

    def _entry(self, conv: str, envelope: dict[str, Any]) -> None:
        own = (envelope["Originated"] or envelope["From"]) == self.uid
        for sent in self._asked.values():
            fresh = own and envelope["MsgID"] and not sent.again and sent.conv == conv
            same = fresh and sent.envelope.get("MsgID") == envelope["MsgID"]
            assert not same or sent.kind == "refer", f"{self} got what it just sent: {envelope}"
        if own:
            self.outbox.pop(envelope["MsgID"], None)
        self.entry(conv, envelope["Seq"], envelope)

    def _skipped(self, conv: str, envelope: dict[str, Any]) -> None:
        is_on = envelope["Seq"] > self.at(conv)
        is_own_log = conv == user_log(self.uid)
        assert self._log_unnamed or not (is_own_log and is_on), f"{self}: skipped in its user log"
        self.skip(conv, envelope["Seq"], envelope.get("N", 0), more=envelope["more"])

    # Answers

    def _answered(self, sent: Sent, answer: dict[str, Any]) -> None:
        if not answer["ok"]:
            self._refused(answer, sent.envelope.get("MsgID", ""), joined=sent.kind != "sync")
        elif sent.kind in ("join", "sync"):
            self.joined = True
            self.go_to(sent.envelope["cursors"])
        elif "Seq" in answer:
            self._acked(sent, answer)
        else:
            assert sent.kind in ("delivery", "display", "rejoin", "refer"), answer
            self.outbox.pop(sent.envelope.get("MsgID", ""), None)

    def _refused(self, answer: dict[str, Any], msg_id: str, *, joined: bool) -> None:
        code = answer["error"]["code"]
        assert code in REFUSALS or (code == "unauthenticated" and not joined), answer
        if code != "unavailable":
            self.outbox.pop(msg_id, None)

    def _acked(self, sent: Sent, answer: dict[str, Any]) -> None:
        conv, seq, msg_id = answer["ConvID"], answer["Seq"], answer["MsgID"]
        assert conv == sent.conv
        assert msg_id == sent.envelope.get("MsgID", "")
        self.outbox.pop(msg_id, None)
        self.acked.append((sent.kind, conv, sent.envelope, seq))
        if not sent.again:
            assert sent.order > self._newest_ack.get(conv, 0), f"{self}: order lost in {conv}"
            self._newest_ack[conv] = sent.order
        if sent.kind == "refer":
            is_in = sent.again or seq <= self.at(conv)
            assert is_in, f"{self}: the ack ahead of its join {seq}"
        else:
            self.ack(conv, seq, answer["N"], sent.envelope, again=sent.again)
