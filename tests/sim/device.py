"""A device of the full form: it connects, joins, sends its outbox in order, and comes back."""

from __future__ import annotations

import json
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from tests.sim.history import Ack, Sent, Visit
from tests.sim.memory import Memory
from tests.sim.network import Link
from tests.sim.paging import Paging
from tests.sim.violations import Violation, require
from tests.sim.visitor import Visitor

if TYPE_CHECKING:
    from tests.sim.world import World

PATIENCE_S: Final = 8.0
"""How long a device waits for an answer before it takes its connection for dead."""
RETRIED: Final = frozenset({"unavailable", "rate_limited"})
REFUSALS: Final = frozenset(
    {"not_a_member", "group_closed", "conflict", "forbidden", "bad_request", "unknown_user"}
)
ENTRIES: Final = frozenset(
    {"message", "create", "join", "depart", "edit", "delete", "react", "conversation", "setting"}
    | {"role", "remove", "group", "close"}
)
MAY_CHANGE_NOTHING: Final = frozenset({"refer", "rejoin", "role", "remove", "group"})
"""Acts that are ok without a `Seq` where all is so already."""


class Device(Visitor):
    """One device of a user. `window`: how many acts of a conversation it sends before their acks:
    1 is the client's rule, more only costs it the promise of order where one is refused."""

    full = True
    patience_s = PATIENCE_S

    def __init__(self, world: World, uid: str, name: str, window: int) -> None:
        super().__init__(world, uid, name)
        self.window = window
        self.memory = Memory(uid, self.name)
        self.outbox: dict[str, list[Sent]] = {}
        self.confirmed: dict[tuple[str, str], int] = {}
        self.told: dict[tuple[str, str], int] = {}
        self.counted: dict[str, dict[int, tuple[int, int]]] = {}
        self.acts: list[Sent] = []
        self.forgets = 0
        self._paging = Paging(self.name)
        self._receipts: dict[tuple[str, str], int] = {}
        self._orders = count(1)
        self._ids = count(1)
        self._asked: dict[int, Sent] = {}
        self._newest_ack: dict[str, int] = {}
        self._echoed: set[tuple[str, int]] = set()

    @property
    def is_idle(self) -> bool:
        """Whether it waits for nothing."""
        return not any(self.outbox.values()) and not self._receipts and not self._asked

    # Connections

    def stall(self, stalled: bool) -> None:
        """Stop or go on reading."""
        if self.link is None or stalled == self.stalled:
            return
        self.stalled = stalled
        self._mark_stall()
        self.link.stall(stalled)

    def _mark_stall(self) -> None:
        if self.visit is None:
            return
        now_s, stalls = self.world.now_s, self.visit.stalled
        if self.stalled:
            stalls.append((now_s, float("inf")))
        elif stalls:
            stalls[-1] = (stalls[-1][0], now_s)

    def _takes_it_for_dead(self) -> bool:
        now_s = self.world.now_s
        waits_s = min((sent.said_s for sent in self._asked.values()), default=now_s)
        silent_s = now_s - max(self._heard_s, waits_s if self._asked else self._heard_s)
        is_silent = silent_s > PATIENCE_S or now_s - self._heard_s > PATIENCE_S + 4.0
        return is_silent and not self.stalled

    def _give_up(self, link: Link) -> None:
        self.note("gives its connection up")
        super()._give_up(link)

    def cut(self, link: Link) -> None:
        """The connection is over, and what was kept for it alone is gone."""
        if link is self.link:
            self._asked.clear()
            self._newest_ack.clear()
            self._echoed.clear()
            for queue in self.outbox.values():
                for sent in queue:
                    sent.in_flight = False
        super().cut(link)

    # What it says

    def act(self, kind: str, to: str, **said: Any) -> None:
        """Put an act into the outbox: on a group or, if `to` is a person, on the pair with them."""
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
        self.outbox.setdefault(conv, []).append(sent)
        self.acts.append(sent)
        self._send_outbox(conv)

    def confirm(self, kind: str, conv: str, seq: int) -> None:
        """Say that it has, or shows, everything up to `seq`; again until it is answered."""
        if seq > max(self._receipts.get((kind, conv), 0), self.confirmed.get((kind, conv), 0)):
            self._receipts[kind, conv] = seq
            self._send_receipt(kind, conv)

    def sync(
        self, cursors: dict[str, int], receipts: list[str] | None = None, name: str = "sync"
    ) -> None:
        """New places, or snapshots. A further `join`, as `name`, does the same."""
        self._ask(name, Sent("sync", "", {"cursors": cursors, "receipts": receipts or []}, 0))

    def _join(self) -> None:
        """With all cursors at once or in pages, the rest of which come sooner or later, or never;
        what a page names waits for it."""
        pages, rng, late_s = self._pages(), self.world.rng, 0.0
        more = len(pages) > 1
        said = {"device": self.name, "cursors": pages[0], "more": more}
        self._paging.begin(pages[0], self.world.now_s, more=more)
        self._ask("join", Sent("join", "", said, 0))
        for at, cursors in enumerate(pages[1:], 2):
            late_s += rng.choice((0.0, 0.0, 0.0, 0.3, 2.0))
            said = {"cursors": cursors, "more": at < len(pages)}
            self.world.after(late_s, self._turn_page, self.link, said)
            if rng.random() < 0.1:
                return

    def _pages(self) -> list[dict[str, int]]:
        cursors = list(self._cursors().items())
        self.world.rng.shuffle(cursors)
        pages = self.world.rng.choice((1, 1, 2, 3)) if len(cursors) > 1 else 1
        return [dict(cursors[at::pages]) for at in range(pages)]

    def _turn_page(self, link: Link | None, said: dict[str, Any]) -> None:
        if link is self.link:
            self._ask("sync", Sent("sync", "", said, 0))

    def _cursors(self) -> dict[str, int]:
        """Where it is in each log; a device that forgets has less."""
        forgets, self.forgets = self.forgets, 0
        return {conv: max(0, known.position - forgets) for conv, known in self.memory.known.items()}

    def _ask(self, name: str, sent: Sent) -> None:
        assert self.link is not None
        ack_id = next(self._ids)
        sent.tries += 1
        sent.said_s = self.world.now_s
        sent.has_moved |= sent.link not in (None, self.link)
        sent.link = self.link
        self._asked[ack_id] = sent
        self.link.say(f"42{ack_id}" + json.dumps([name, sent.envelope]))

    def _send_outbox(self, conv: str) -> None:
        queue = self.outbox.get(conv, [])
        if self.is_live and self.link is not None:
            for sent in queue[: self.window]:
                if not sent.in_flight:
                    sent.in_flight = True
                    self.note(f"sends {sent.kind} {sent.msg_id} to {conv}")
                    self._ask("chat", sent)

    def _send_receipt(self, kind: str, conv: str) -> None:
        seq = self._receipts.get((kind, conv))
        if seq is None or not self.is_live or self.link is None:
            return
        to = conv if conv.startswith("group_") else self.uid
        envelope = {"EvtType": kind, "From": to, "To": to, "Timestamp": 1}
        if conv.startswith("group_"):
            envelope["Originated"] = self.uid
        envelope |= {"ConvID": conv, "Seq": seq}
        self._ask("chat", Sent(kind, conv, envelope, 0))

    # What it hears

    def _packet(self, link: Link, text: str) -> None:
        if text == "2":
            link.say("3")
        elif text.startswith("0"):
            link.say("40" + json.dumps({"token": self.uid}))
        elif text.startswith("40"):
            self._join()
        elif text.startswith("43"):
            at = text.index("[")
            self._answered(self._asked.pop(int(text[2:at])), json.loads(text[at:])[0])
        elif text.startswith("42"):
            name, argument = json.loads(text[2:])
            if name == "chat":
                self._chat(argument)
            else:
                self.note(f"is told {argument['error']['code']}")
        else:
            raise Violation(f"no error: {self.name} was sent {text}")

    def _chat(self, envelope: dict[str, Any]) -> None:
        kind, conv = envelope["EvtType"], envelope["ConvID"]
        require(self.is_live, "one order", f"{self.name}: {kind} ahead of its join's ack")
        if kind in ENTRIES:
            self._paging.check(conv, self.world.now_s)
            self._entry(conv, envelope)
        elif kind == "skip":
            self._paging.check(conv, self.world.now_s)
            self.note(f"skips to {envelope['Seq']} of {conv}")
            self.memory.skip(conv, envelope["Seq"], envelope.get("N", 0), more=envelope["more"])
            self._reach(conv)
        elif kind == "position":
            said = (envelope["delivered"], envelope["displayed"], envelope["N"])
            self.memory.position(conv, said)
        elif kind == "receipts":
            rows = json.loads(envelope["Body"])
            self.memory.snapshots[conv] = rows
            counts = self.counted.setdefault(conv, {})
            counts |= {row[0]: (row[1], row[2]) for row in rows if isinstance(row[0], int)}
        elif kind in ("delivery", "display"):
            reader = envelope["Originated"] or envelope["From"]
            require(envelope["To"] == self.uid, "receipts", f"{self.name} got another's")
            self.told[conv, reader] = max(self.told.get((conv, reader), 0), envelope["Seq"])
            self.world.told(self, kind, conv, reader, envelope["Seq"])
        elif kind == "restart":
            self.world.after(self.world.rng.uniform(0.0, 3.0), self._restart, conv)
        elif kind != "notify":
            raise Violation(f"no error: {self.name} was sent a {kind}")

    def _restart(self, conv: str) -> None:
        """Say who is in a group that the server did not know."""
        people = self.world.people
        uids = self.world.rng.sample(people, self.world.rng.randint(1, len(people)))
        self.act("rejoin", conv, Body=json.dumps(uids), MsgID="")

    def _entry(self, conv: str, envelope: dict[str, Any]) -> None:
        seq, kind, msg_id = envelope["Seq"], envelope["EvtType"], envelope["MsgID"]
        # Of a `join` by invitation that id is drawn anew each time.
        self.note(f"gets {kind} {seq} of {conv} {'' if kind == 'join' else msg_id}")
        own = (envelope["Originated"] or envelope["From"]) == self.uid
        if own and kind != "join":
            self._echoed.add((conv, seq))
        self.memory.entry(conv, seq, envelope)
        self._reach(conv)
        if not own and kind == "message" and self.world.rng.random() < 0.5:
            self.confirm("delivery", conv, seq)

    def _reach(self, conv: str) -> None:
        assert self.visit is not None
        self.visit.reach(conv, self.memory.now[conv], self.world.now_s)

    # Answers

    def _answered(self, sent: Sent, answer: dict[str, Any]) -> None:
        if not answer["ok"]:
            self._refused(sent, answer["error"]["code"])
        elif sent.kind == "join":
            self._joined(sent.envelope["cursors"])
        elif sent.kind == "sync":
            self._goes_on(sent.envelope["cursors"], more=sent.envelope.get("more", False))
        elif sent.kind in ("delivery", "display"):
            self._receipt_stored(sent)
        else:
            self._acked(sent, answer)

    def _joined(self, cursors: dict[str, int]) -> None:
        assert self.link is not None
        self.note(f"has joined at {self.link.node.name}")
        self.visit = Visit(self, self.link.node, self.world.now_s)
        self.world.history.visits.append(self.visit)
        self._mark_stall()
        self.memory.begin(cursors)
        self._reach_all(cursors)
        for conv in list(self.outbox):
            self._send_outbox(conv)
        for kind, conv in list(self._receipts):
            self._send_receipt(kind, conv)

    def _goes_on(self, cursors: dict[str, int], *, more: bool) -> None:
        self._paging.go_on(cursors, more=more)
        self.memory.go_to(cursors)
        self._reach_all(cursors)

    def _reach_all(self, cursors: dict[str, int]) -> None:
        assert self.visit is not None
        for conv, cursor in cursors.items():
            self.visit.reach(conv, cursor, self.world.now_s)

    def _receipt_stored(self, sent: Sent) -> None:
        key, seq = (sent.kind, sent.conv), sent.envelope["Seq"]
        self.confirmed[key] = max(self.confirmed.get(key, 0), seq)
        if self._receipts.get(key, 0) <= seq:
            self._receipts.pop(key, None)

    def _refused(self, sent: Sent, code: str) -> None:
        self.note(f"is refused {sent.kind} {sent.msg_id}: {code}")
        if sent.kind == "sync" and code in {"unavailable", "unauthenticated"}:
            self._paging.end()  # the next packet may be the last; or its join was refused
            return
        if code in RETRIED:
            sent.in_flight = False
            self.world.after(self.world.rng.uniform(0.2, 1.0), self._try_again, sent)
            return
        require(code in REFUSALS, "no error", f"{self.name}: {sent.kind} is refused: {code}")
        self.world.history.refused.append((self.uid, sent, code))
        if sent.kind in ("delivery", "display"):
            self._receipts.pop((sent.kind, sent.conv), None)
        else:
            self._is_done(sent)

    def _try_again(self, sent: Sent) -> None:
        if sent.link is not self.link:
            return  # what was not answered goes with the next connection
        if sent.kind == "join":
            self._join()
        elif sent.kind in ("delivery", "display"):
            self._send_receipt(sent.kind, sent.conv)
        else:
            self._send_outbox(sent.conv)

    def _is_done(self, sent: Sent) -> None:
        queue = self.outbox.get(sent.conv, [])
        if sent in queue:
            queue.remove(sent)
        self._send_outbox(sent.conv)

    def _acked(self, sent: Sent, answer: dict[str, Any]) -> None:
        sent.answer = answer
        if "Seq" in answer:
            self._acked_at(sent, answer["ConvID"], answer["Seq"], answer["N"])
        elif not answer.get("held"):
            said = f"{self.name}: {sent.kind} acked without Seq"
            require(sent.kind in MAY_CHANGE_NOTHING, "acks", said)
        self._is_done(sent)

    def _acked_at(self, sent: Sent, conv: str, seq: int, n: int) -> None:
        assert self.link is not None
        if sent.tries == 1:  # else it may have been appended before, and its place has gone by
            self._paging.check(conv, self.world.now_s)
        self.note(f"has the ack of {sent.kind} {seq} of {conv} {sent.msg_id}")
        require(conv == sent.conv, "acks", f"{self.name}: of {conv}, not {sent.conv}")
        again = sent.tries > 1
        if sent.kind == "refer":
            is_next = again or seq <= self.memory.now.get(conv, 0)
            require(is_next, "acks in order", f"{self.name}: ack of {seq} ahead of its join")
        else:
            self.memory.ack(conv, seq, n, sent.envelope, again=again)
            self._reach_if_known(conv)
        if not again:
            newest = self._newest_ack.get(conv, 0)
            require(seq > newest, "acks in order", f"{self.name}: {seq} after {newest} of {conv}")
            self._newest_ack[conv] = seq
            was_held = self.world.is_open and sent.kind == "message" and conv.startswith("group_")
            echoed = (conv, seq) in self._echoed and not was_held
            said = f"{self.name} was sent {seq} of {conv}, too, which it had just sent"
            require(not echoed, "the sending device gets the ack only", said)
        node = self.link.node
        self.world.acked(
            Ack(
                conv, seq, sent.msg_id, self.uid, sent.said_s, self.world.now_s, node,
                self.world.was_busless(node, sent.said_s),
            )
        )  # fmt: skip

    def _reach_if_known(self, conv: str) -> None:
        if conv in self.memory.now:
            self._reach(conv)
