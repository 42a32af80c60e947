"""What one write of a head does: decided here, on a head that was read, without any I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from webchat.adapters.dynamodb.head import Follows, LogHead, Mark, Record, encode
from webchat.adapters.dynamodb.window import Window
from webchat.errors import MembersChanged, WebchatError
from webchat.model import MESSAGE, Head, Seq, Uid
from webchat.ports.log import Append, Change, Follow, changed, check_conditions, last_change


class Written(msgspec.Struct, frozen=True):
    """The drafts of a request got `Seq` `first` and on; `follows`: what is still to come."""

    first: Seq
    records: tuple[Record, ...]
    follows: Follows | None


class Repeated(msgspec.Struct, frozen=True):
    """Keys of a request were met before, at `seqs`."""

    seqs: tuple[Seq, ...]


Outcome = Written | Repeated | MembersChanged | WebchatError


class Settled(msgspec.Struct, frozen=True):
    """What has been done since the head was written and can go from it.

    `rolled`: records from the head's `first` on that a batch holds. `flushed`: up to where senders'
    positions are in their members' items. `followed`: marks by their `Seq`.
    """

    rolled: tuple[Record, ...] = ()
    flushed: Mapping[Uid, Seq] = msgspec.field(default_factory=dict)
    followed: frozenset[Seq] = frozenset()


@dataclass(slots=True)
class Plan:
    """`head` is to be written over the one planned on; None: nothing is. `spilled`: items that
    must be there first, by their `sk`."""

    head: LogHead | None
    outcomes: list[Outcome]
    spilled: dict[str, bytes] = field(default_factory=dict)


class Planner:
    """Plans one write. `token` marks its entries, `at` (ms) is their time. `amended`: when entries
    that are to be changed, and that batches hold, were last edited or deleted."""

    def __init__(
        self,
        head: LogHead,
        window: Window,
        at: int,
        token: bytes,
        follow_inline_bytes: int,
        amended: Mapping[Seq, Seq],
    ) -> None:
        self._before = head
        self._window = window
        self._at = at
        self._token = token
        self._follow_inline_bytes = follow_inline_bytes
        self._amended = dict(amended)
        self._last = head.last
        self._n = head.n
        self._members_seq = head.members_seq
        self._first = head.first
        self._tail = list(head.tail)
        self._moved = dict(head.moved)
        self._marks = list(head.marks)
        self._keys: dict[tuple[Uid, str], Seq] = {}
        self._spilled: dict[str, bytes] = {}

    def plan(self, requests: Sequence[Append], settled: Settled) -> Plan:
        """What becomes of `requests`, in their order, with what is `settled` taken out."""
        went = self._settle(settled)
        outcomes = [self._decide(request) for request in requests]
        if not went and self._last == self._before.last:
            return Plan(None, outcomes)
        return Plan(self._head(), outcomes, self._spilled)

    def _head(self) -> LogHead:
        before = self._before
        return LogHead(
            conv=before.conv,
            ver=before.ver + 1,
            last=self._last,
            n=self._n,
            at=self._at if self._last > before.last else before.at,
            members_seq=self._members_seq,
            first=self._first,
            tail=tuple(self._tail),
            moved=self._moved,
            marks=tuple(self._marks),
        )

    def _settle(self, settled: Settled) -> bool:
        """Take out what is done. Entries go together, and only if all are as their batch has
        them: else batches would overlap."""
        count = len(settled.rolled)
        rolls = count > 0 and tuple(self._tail[:count]) == settled.rolled
        if rolls:
            del self._tail[:count]
            self._first += count
        moved = {u: m for u, m in self._moved.items() if m[0] > settled.flushed.get(u, 0)}
        marks = [mark for mark in self._marks if mark.seq not in settled.followed]
        went = rolls or len(moved) < len(self._moved) or len(marks) < len(self._marks)
        self._moved, self._marks = moved, marks
        return went

    def _decide(self, request: Append) -> Outcome:
        met = [self._find(draft.sender, draft.msg_id) for draft in request.drafts if draft.msg_id]
        seqs = tuple(seq for seq in met if seq is not None)
        if seqs:
            return Repeated(seqs)
        try:
            check_conditions(request, Head(self._last, self._n, self._at, self._members_seq))
        except (WebchatError, MembersChanged) as refusal:
            return refusal
        for change in request.follow.conditions if request.follow else ():
            if self._last_change(change.refers) > (change.as_of or 0):
                return MembersChanged(request.conv)
        return self._write(request)

    def _last_change(self, seq: Seq) -> Seq:
        """When an entry was last edited or deleted, by this write too."""
        place = seq - self._before.first
        is_in_tail = 0 <= place < len(self._before.tail)
        there = last_change(self._before.tail[place].envelope) if is_in_tail else 0
        return max(there, self._amended.get(seq, 0))

    def _find(self, sender: Uid, msg_id: str) -> Seq | None:
        return self._keys.get((sender, msg_id)) or self._window.find(sender, msg_id)

    def _write(self, request: Append) -> Written:
        first, n_before = self._last + 1, self._n
        for draft in request.drafts:
            self._last += 1
            self._n += draft.kind == MESSAGE
            self._keys[draft.sender, draft.msg_id] = self._last
            self._tail.append(
                Record(
                    self._n, self._at, draft.kind, draft.sender, draft.msg_id, draft.envelope,
                    self._token, request.is_membership,
                )
            )  # fmt: skip
        records = tuple(self._tail[-len(request.drafts) :])
        if request.is_membership:
            self._members_seq = self._last
        if request.moves_sender:
            self._moved.pop(records[-1].sender, None)
            self._moved[records[-1].sender] = (self._last, self._n)
        return Written(first, records, self._follow(request, first, n_before))

    def _follow(self, request: Append, first: Seq, n_before: int) -> Follows | None:
        """What follows, with a mark that says so; None where this write does it all."""
        follows = gather(request.follows(first), first, self._at, n_before)
        changes = tuple(change for change in follows.changes if not self._change(change, first))
        follows = msgspec.structs.replace(follows, changes=changes)
        if follows == Follows(first, self._at, n_before):
            return None
        blob, ref = encode(follows), ""
        inline = sum(len(mark.follows) for mark in self._marks)
        if inline + len(blob) > self._follow_inline_bytes:
            # Of this write alone: where it is refused, and planned anew, the item is dropped.
            ref = f"{self._token.hex()}#{self._before.ver + 1}#{first}"
            self._spilled[ref] = blob
            blob = b""
        self._marks.append(Mark(first, self._at, blob, ref))
        return follows

    def _change(self, change: Change, by: Seq) -> bool:
        """Change an entry of the tail; False: it lies in a batch, or it is no change of one."""
        if not 0 < change.refers < by:
            return True
        if change.kind == "react":
            return False
        self._amended[change.refers] = by
        place = change.refers - self._first
        if place < 0:
            return False
        record = self._tail[place]
        envelope = changed(record.envelope, change, by)
        self._tail[place] = msgspec.structs.replace(record, envelope=envelope)
        return True


def gather(given: Sequence[Follow], seq: Seq, at: int, n_before: int) -> Follows:
    """What `given` come to together when their append got `seq`."""
    groups = [follow.group for follow in given if follow.group is not None]
    return Follows(
        seq,
        at,
        n_before,
        spans=tuple(
            (span.uid, span.since, span.until or 0, span.role)
            for follow in given
            for span in follow.spans_at(seq)
        ),
        announce=tuple(each for follow in given for each in follow.announce),
        changes=tuple(change for follow in given for change in follow.changes),
        group=groups[-1] if groups else None,
        invitations=tuple(
            msgspec.structs.replace(invitation, at=at)
            for follow in given
            for invitation in follow.invitations
        ),
    )
