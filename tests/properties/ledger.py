"""A second reading of a log: who was in, who could see what, what its texts came to.

It knows the contract (docs/protocol.md, sections 3 to 5), and nothing of the code under test.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from webchat.model import Entry

Span = tuple[int, int | None]
_AMENDMENTS = ("edit", "delete", "react")


@dataclass
class Ledger:
    """What the entries of one conversation say, one after the other. `texts`: by `Seq`; `roles`: of
    those who are in; `group`: its properties, as `group` and `close` entries name them; `was_open`:
    its history was, at some time, so that members may have read what came before them."""

    conv: str
    is_pair: bool
    entries: list[dict[str, Any]] = field(default_factory=list)
    spans: dict[str, list[Span]] = field(default_factory=dict)
    told: list[tuple[str, str, int]] = field(default_factory=list)
    texts: dict[int, str] = field(default_factory=dict)
    reactions: dict[int, dict[str, str]] = field(default_factory=dict)
    deleted: set[int] = field(default_factory=set)
    roles: dict[str, str] = field(default_factory=dict)
    group: dict[str, Any] = field(default_factory=dict)
    n: int = 0
    was_open: bool = False

    def members(self) -> list[str]:
        """Who is in it now."""
        return sorted(uid for uid, spans in self.spans.items() if spans[-1][1] is None)

    def members_at(self, seq: int) -> list[str]:
        """Who was in it after its entry `seq`."""
        return sorted(
            uid
            for uid, spans in self.spans.items()
            if any(since <= seq and (until is None or seq < until) for since, until in spans)
        )

    def sees(self, uid: str, seq: int) -> bool:
        """Whether `uid` may see the entry `seq`."""
        spans = self.spans.get(uid, [])
        return any(a <= seq and (b is None or seq <= b) for a, b in spans)

    def visible(self, uid: str, after: int, to: int) -> set[int]:
        """The `Seq`s after `after`, up to `to`, that `uid` may see."""
        return {seq for seq in range(after + 1, to + 1) if self.sees(uid, seq)}

    def read(self, seq: int, n: int, envelope: dict[str, Any]) -> None:
        """The next entry. Raises AssertionError where it could not have been appended."""
        assert seq == len(self.entries) + 1, f"{self.conv} has a gap before {seq}"
        kind, actor = envelope["EvtType"], envelope["Originated"] or envelope["From"]
        self.n += kind == "message"
        assert n == self.n, f"{self.conv} {seq}: N is {n}, not {self.n}"
        self.entries.append(envelope)
        if self.is_pair and seq == 1:
            for uid in {envelope["From"], envelope["To"]}:
                self._come_in(uid, seq, "")
        by_itself = kind == "join" and json.loads(envelope["Body"]) == [actor]
        if kind != "create" and not by_itself:
            assert self.is_in(actor), f"{self.conv} {seq}: {kind} of {actor}, who is not in"
        is_closed = self.group.get("closed", False)
        assert not is_closed or kind == "depart", f"{self.conv} {seq}: {kind}, and it is closed"
        if kind in ("message", "edit") and self.group.get("announcements", False):
            assert self._is_admin(actor), f"{self.conv} {seq}: {kind} of {actor}, who is no admin"
        if kind in _AMENDMENTS:
            self._amend(seq, kind, actor, envelope)
        elif kind == "message":
            self.texts[seq] = envelope["Body"]
        elif kind in ("role", "group", "close"):
            self._rule(seq, kind, actor, envelope)
        elif kind in ("depart", "remove"):
            self._let_out(seq, kind, actor, envelope)
        else:
            self._let_in(seq, kind, actor, envelope)

    def is_in(self, uid: str) -> bool:
        """Whether `uid` is in it now."""
        return uid in self.spans and self.spans[uid][-1][1] is None

    def _is_admin(self, uid: str) -> bool:
        return self.roles.get(uid) in ("owner", "admin")

    # Who is in

    def _let_in(self, seq: int, kind: str, actor: str, envelope: dict[str, Any]) -> None:
        assert kind == "join" or (kind == "create" and seq == 1)
        if kind == "create":
            self._come_in(actor, seq, "owner")
        for uid in json.loads(envelope["Body"]):
            self._come_in(uid, seq, "member")

    def _come_in(self, uid: str, seq: int, role: str) -> None:
        assert not self.is_in(uid), f"{self.conv} {seq}: {uid} is in already"
        self.spans.setdefault(uid, []).append((seq, None))
        self.told.append((uid, "added", seq))
        self.roles[uid] = role

    def _let_out(self, seq: int, kind: str, actor: str, envelope: dict[str, Any]) -> None:
        own, said = self.roles[actor], f"{self.conv} {seq}: {kind} by {actor}, {envelope}"
        if kind == "depart":
            successor = self._successor(actor) if own == "owner" else None
            assert envelope.get("Owner") == successor, f"{said}, whose successor is {successor}"
            self._go_out(actor, seq)
            if successor is not None:
                self.roles[successor] = "owner"
            self.group["closed"] = self.group.get("closed", False) or not self.members()
            return
        for uid in json.loads(envelope["Body"]):
            assert self.is_in(uid), said
            assert uid != actor, said
            assert own == "owner" or (own == "admin" and not self._is_admin(uid)), said
            self._go_out(uid, seq)

    def _go_out(self, uid: str, seq: int) -> None:
        self.spans[uid][-1] = (self.spans[uid][-1][0], seq)
        self.told.append((uid, "left", seq))
        del self.roles[uid]

    def _successor(self, owner: str) -> str | None:
        """Whose the group is when its owner leaves."""
        others = [uid for uid in self.roles if uid != owner]
        order = ((self.roles[uid] != "admin", self.spans[uid][-1][0], uid) for uid in others)
        return min(order, default=(False, 0, None))[2]

    # Who may what

    def _rule(self, seq: int, kind: str, actor: str, envelope: dict[str, Any]) -> None:
        may = self.roles[actor] == "owner" or (kind == "group" and self._is_admin(actor))
        said = f"{self.conv} {seq}: {kind} by {actor}, {self.roles[actor]}: {envelope['Body']}"
        assert may, said
        if kind == "close":
            self.group["closed"] = True
        elif kind == "group":
            self.group |= json.loads(envelope["Body"])
            self.was_open |= self.group.get("history_open", False)
        else:
            change = json.loads(envelope["Body"])
            assert self.is_in(change["uid"]), said
            assert change["uid"] != actor, said
            if change["role"] == "owner":
                self.roles[actor] = "admin"
            self.roles[change["uid"]] = change["role"]

    def _amend(self, seq: int, kind: str, actor: str, envelope: dict[str, Any]) -> None:
        refers = envelope["Refers"]
        meant = self.entries[refers - 1]
        assert meant["EvtType"] == "message"
        sees = self.sees(actor, refers) or self.group.get("history_open", False)
        assert sees, f"{actor} does not see {self.conv} {refers}"
        author = meant["Originated"] or meant["From"]
        may = kind == "react" or author == actor or (kind == "delete" and self._is_admin(actor))
        assert may, f"{self.conv} {seq}: {kind} by {actor} of what {author} said"
        if kind == "react":
            reactions = self.reactions.setdefault(refers, {})
            reactions.pop(actor, None)
            if envelope["Body"]:
                reactions[actor] = envelope["Body"]
        elif refers not in self.deleted:
            self.texts[refers] = envelope["Body"]  # of a `delete` it is blank
            if kind == "delete":
                self.deleted.add(refers)


def ledger_of(conv: str, entries: Iterable[Entry], texts: dict[str, str]) -> Ledger:
    """The ledger of a stored log. `texts`: what each message said first, by its MsgID."""
    ledger = Ledger(conv, is_pair=conv.startswith("dm:"))
    for entry in entries:
        envelope = json.loads(entry.envelope)
        assert (envelope["ConvID"], envelope["Seq"]) == (conv, entry.seq)
        said = {"Body": texts[entry.msg_id]} if entry.kind == "message" else {}
        ledger.read(entry.seq, entry.n, envelope | said)
    return ledger


def only(entries: Sequence[dict[str, Any]], msg_id: str, sender: str) -> list[int]:
    """The `Seq`s of the entries with that key of idempotence."""
    return [
        entry["Seq"]
        for entry in entries
        if entry["MsgID"] == msg_id and (entry["Originated"] or entry["From"]) == sender
    ]
