"""What a batch of appends does to what the database said, decided in memory under its locks.

Semantics: `ports/log.py`. Knows no connection: `tables.py` reads what a `Batch` asks to know, and
writes the rows that it has come to.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from webchat.errors import MembersChanged
from webchat.model import (
    MESSAGE,
    NO_HEAD,
    NO_POSITION,
    ConvID,
    Draft,
    Entry,
    Group,
    Head,
    Invitation,
    Membership,
    Position,
    Seq,
    Uid,
    seal,
    user_log,
)  # fmt: skip
from webchat.ports.log import (
    SEQ_OF_ENTRY,
    Append,
    Appended,
    Change,
    Follow,
    changed,
    check_conditions,
    last_change,
)  # fmt: skip
from webchat.ports.positions import Moved

Key = tuple[ConvID, Uid, str]
Place = tuple[ConvID, Seq]
Person = tuple[ConvID, Uid]


class Written(msgspec.Struct, gc=False):
    """An entry as its row has it. `envelope`: the draft's, as changed since."""

    conv: ConvID
    seq: Seq
    n: int
    at: int
    members_seq: Seq
    kind: str
    sender: Uid
    msg_id: str
    envelope: bytes

    def sealed(self) -> Entry:
        """As it goes on the wire."""
        draft = Draft(self.kind, self.sender, self.msg_id, self.envelope)
        return seal(draft, self.conv, self.seq, self.n, self.at)


class Known:
    """What the database holds of what a batch concerns, then what the batch made of it."""

    def __init__(self) -> None:
        self.heads: dict[ConvID, Head] = {}
        self.keys: dict[Key, Written] = {}
        self.entries: dict[Place, Written] = {}
        self.present: dict[Person, Membership] = {}
        self.positions: dict[Person, Position] = {}


class Rows:
    """What a batch has to write."""

    def __init__(self) -> None:
        self.heads: dict[ConvID, Head] = {}
        self.entries: list[Written] = []
        self.changed: dict[Place, Written] = {}
        self.ended: set[tuple[ConvID, Uid, Seq]] = set()
        self.spans: dict[tuple[ConvID, Uid, Seq], Membership] = {}
        self.came: dict[ConvID, int] = {}
        self.positions: dict[Person, Position] = {}
        self.reactions: dict[tuple[ConvID, Seq, Uid], tuple[str, Seq]] = {}
        self.groups: dict[ConvID, Group] = {}
        self.invitations: list[Invitation] = []


class Batch:
    """Appends at `at` (ms), one after the other, on what is `known`. `rows`: what is to write."""

    def __init__(self, known: Known, at: int) -> None:
        self._known = known
        self._at = at
        self.rows = Rows()

    def append(self, request: Append) -> Appended:
        """Append `request`. Raises MembersChanged, WebchatError(CONFLICT), having done nothing."""
        met = [self._known.keys.get((request.conv, *key)) for key in keys_of(request.drafts)]
        if again := tuple(written.sealed() for written in met if written is not None):
            return Appended(again, self._followed(request, again[0].seq), fresh=False)
        check_conditions(request, self._known.heads.get(request.conv, NO_HEAD))
        self._check_changes(request)
        written = self._write(request.conv, request.drafts, is_membership=request.is_membership)
        first, last = written[0], written[-1]
        followed: list[Entry] = []
        for follow in request.follows(first.seq):
            followed += self._follow(follow, first)
        moved = self._move_sender(last) if request.moves_sender else None
        entries = tuple(each.sealed() for each in written)
        return Appended(entries, tuple(followed), fresh=True, moved=moved)

    def _check_changes(self, request: Append) -> None:
        for change in request.follow.conditions if request.follow else ():
            written = self._known.entries.get((request.conv, change.refers))
            if written is not None and last_change(written.envelope) > (change.as_of or 0):
                raise MembersChanged(request.conv)

    def _followed(self, request: Append, seq: Seq) -> tuple[Entry, ...]:
        """The entries of user logs that followed from the entry at `seq` the first time."""
        return tuple(
            found.sealed()
            for follow in request.follows(seq)
            for key in said_keys(follow, request.conv, seq)
            if (found := self._known.keys.get(key)) is not None
        )

    def _write(
        self, conv: ConvID, drafts: Sequence[Draft], *, is_membership: bool
    ) -> list[Written]:
        """Put the drafts at the end of their log."""
        head, written = self._known.heads.get(conv, NO_HEAD), []
        for draft in drafts:
            seq = head.last + 1
            n = head.n + (draft.kind == MESSAGE)
            head = Head(seq, n, self._at, seq if is_membership else head.members_seq)
            said = (draft.kind, draft.sender, draft.msg_id, draft.envelope)
            written.append(Written(conv, seq, n, self._at, head.members_seq, *said))
        self._known.heads[conv] = self.rows.heads[conv] = head
        for each in written:
            self._known.entries[conv, each.seq] = each
            if each.msg_id:
                self._known.keys[conv, each.sender, each.msg_id] = each
        self.rows.entries += written
        return written

    def _follow(self, follow: Follow, cause: Written) -> list[Entry]:
        """Do what follows from `cause`; returns the new entries of user logs."""
        for span in follow.spans_at(cause.seq):
            self._write_span(span)
        for change in follow.changes:
            self._change(change, cause)
        if follow.group is not None:
            self.rows.groups[cause.conv] = follow.group
        self.rows.invitations += (
            msgspec.structs.replace(each, at=self._at) for each in follow.invitations
        )
        announced: list[Entry] = []
        for draft in follow.said_to_users(cause.conv, cause.seq, self._at):
            log = user_log(draft.sender)
            if (log, draft.sender, draft.msg_id) not in self._known.keys:
                written = self._write(log, [draft], is_membership=False)
                announced.append(written[0].sealed())
        return announced

    def _write_span(self, span: Membership) -> None:
        person = (span.conv, span.uid)
        present = self._known.present.get(person)
        if span.until is not None:
            self._close_span(span, present)
        elif present is None:
            self._known.present[person] = self.rows.spans[(*person, span.since)] = span
            self._count(span.conv, 1)
            before = span.since - 1
            self._put_position(person, Position(before, before, self._n_at(span.conv, before)))
        elif present.since == span.since:
            self._known.present[person] = self.rows.spans[(*person, span.since)] = span

    def _close_span(self, span: Membership, present: Membership | None) -> None:
        person = (span.conv, span.uid)
        if present is not None:
            del self._known.present[person]
            self._count(span.conv, -1)
            self.rows.spans.pop((*person, present.since), None)
            self.rows.ended.add((*person, present.since))
        self.rows.spans[(*person, span.since)] = span

    def _count(self, conv: ConvID, came: int) -> None:
        self.rows.came[conv] = self.rows.came.get(conv, 0) + came

    def _change(self, change: Change, cause: Written) -> None:
        if not 0 < change.refers < cause.seq:
            return
        place = (cause.conv, change.refers)
        if change.kind == "react":
            self.rows.reactions[(*place, change.sender)] = (change.body, cause.seq)
            return
        written = self._known.entries[place]
        envelope = changed(written.envelope, change, cause.seq)
        if envelope != written.envelope:
            # One object is the entry wherever it is known, in the rows to insert, too.
            written.envelope = envelope
            self.rows.changed[place] = written

    def _move_sender(self, written: Written) -> Moved:
        person = (written.conv, written.sender)
        before = self._known.positions.get(person, NO_POSITION)
        after = Position(written.seq, written.seq, written.n)
        self._put_position(person, after)
        return Moved(written.conv, written.sender, before, after)

    def _put_position(self, person: Person, position: Position) -> None:
        self._known.positions[person] = self.rows.positions[person] = position

    def _n_at(self, conv: ConvID, seq: Seq) -> int:
        """The count of messages up to and including `seq`."""
        return self._known.entries[conv, seq].n if seq > 0 else 0


def keys_of(drafts: Sequence[Draft]) -> list[tuple[Uid, str]]:
    """The keys of idempotence of `drafts`, within their log."""
    return [(draft.sender, draft.msg_id) for draft in drafts if draft.msg_id]


def said_keys(follow: Follow, conv: ConvID, seq: Seq) -> list[Key]:
    """The keys of what `follow` says to users when `conv` got `seq`."""
    return [
        (user_log(draft.sender), draft.sender, draft.msg_id)
        for draft in follow.said_to_users(conv, seq, 0)
    ]


def logs_of(request: Append) -> set[ConvID]:
    """Every log that `request` may write to."""
    logs = {request.conv}
    for follow in (request.follow, request.on_first):
        if follow is not None:
            logs.update(span.conv for span in follow.memberships)
            logs.update(user_log(uid) for uid, _ in follow.announce)
            logs.update(user_log(each.uid) for each in follow.invitations)
    return logs


def places_of(request: Append, head: Head) -> list[Place]:
    """Earlier entries of logs that `request` asks of, if its log ends at `head`."""
    places = [(request.conv, head.last)]
    for follow in (request.follow, request.on_first):
        if follow is not None:
            places += ((request.conv, change.refers) for change in follow.changes)
            places += (
                (span.conv, span.since - 1)
                for span in follow.memberships
                if span.until is None and span.since != SEQ_OF_ENTRY
            )
    return [(conv, seq) for conv, seq in places if 0 < seq <= head.last]


def people_of(request: Append) -> list[Person]:
    """Whose memberships and positions `request` may ask of."""
    people = [(request.conv, request.drafts[-1].sender)] if request.moves_sender else []
    for follow in (request.follow, request.on_first):
        if follow is not None:
            people += ((span.conv, span.uid) for span in follow.memberships)
    return people
