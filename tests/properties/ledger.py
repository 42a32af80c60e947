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
    """What the entries of one conversation say, one after the other. `texts`: by `Seq`."""

    conv: str
    is_pair: bool
    entries: list[dict[str, Any]] = field(default_factory=list)
    spans: dict[str, list[Span]] = field(default_factory=dict)
    told: list[tuple[str, str, int]] = field(default_factory=list)
    texts: dict[int, str] = field(default_factory=dict)
    reactions: dict[int, dict[str, str]] = field(default_factory=dict)
    deleted: set[int] = field(default_factory=set)
    owner: str | None = ""
    n: int = 0

    def members(self) -> list[str]:
        """Who is in it now."""
        return sorted(uid for uid, spans in self.spans.items() if spans[-1][1] is None)

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
                self._come_in(uid, seq)
        by_itself = kind == "join" and json.loads(envelope["Body"]) == [actor]
        if kind != "create" and not by_itself:
            assert self._is_in(actor), f"{self.conv} {seq}: {kind} of {actor}, who is not in"
        if kind in _AMENDMENTS:
            self._amend(seq, kind, actor, envelope)
        elif kind == "message":
            self.texts[seq] = envelope["Body"]
        else:
            self._change_members(seq, kind, actor, envelope)

    def _is_in(self, uid: str) -> bool:
        return uid in self.spans and self.spans[uid][-1][1] is None

    def _come_in(self, uid: str, seq: int) -> None:
        assert not self._is_in(uid), f"{self.conv} {seq}: {uid} is in already"
        self.spans.setdefault(uid, []).append((seq, None))
        self.told.append((uid, "added", seq))

    def _change_members(self, seq: int, kind: str, actor: str, envelope: dict[str, Any]) -> None:
        if kind == "depart":
            self.spans[actor][-1] = (self.spans[actor][-1][0], seq)
            self.told.append((actor, "left", seq))
            if actor == self.owner:
                self.owner = None  # somebody else is, from here on
            return
        assert kind == "join" or (kind == "create" and seq == 1)
        if kind == "create":
            self.owner = actor
            self._come_in(actor, seq)
        for uid in json.loads(envelope["Body"]):
            self._come_in(uid, seq)

    def _amend(self, seq: int, kind: str, actor: str, envelope: dict[str, Any]) -> None:
        refers = envelope["Refers"]
        meant = self.entries[refers - 1]
        assert meant["EvtType"] == "message"
        assert self.sees(actor, refers), f"{actor} does not see {self.conv} {refers}"
        author = meant["Originated"] or meant["From"]
        is_admin = self.owner in (actor, None)
        may = kind == "react" or author == actor or (kind == "delete" and is_admin)
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
