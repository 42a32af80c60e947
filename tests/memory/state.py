"""Logs, members and positions in plain dictionaries: what one append or move changes, at once.

The reference of the promises in `ports/log.py`, `members.py`, `positions.py`; knows no event loop.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import msgspec

from webchat.errors import Code, MembersChanged, WebchatError
from webchat.model import (
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
from webchat.ports.log import Append, Appended, Change, Follow, changed, last_change
from webchat.ports.positions import Move, Moved


class State:
    """Everything the logs hold and imply. Methods either do all they say or raise first."""

    def __init__(self) -> None:
        self.entries: defaultdict[ConvID, list[Entry]] = defaultdict(list)
        self.drafts: defaultdict[ConvID, list[Draft]] = defaultdict(list)
        self.members_seqs: defaultdict[ConvID, list[Seq]] = defaultdict(list)
        self.keys: dict[tuple[ConvID, Uid, str], Seq] = {}
        self.heads: dict[ConvID, Head] = {}
        self.spans: defaultdict[ConvID, dict[Uid, list[Membership]]] = defaultdict(dict)
        self.positions: dict[tuple[ConvID, Uid], Position] = {}
        self.groups: dict[ConvID, Group] = {}
        self.invitations: list[Invitation] = []
        self.claimed: set[tuple[Uid, ConvID]] = set()
        self.reactions: defaultdict[tuple[ConvID, Seq], dict[Uid, tuple[str, Seq]]]
        self.reactions = defaultdict(dict)

    def find(self, conv: ConvID, sender: Uid, msg_id: str) -> Entry | None:
        """The entry with that key of idempotence."""
        seq = self.keys.get((conv, sender, msg_id))
        return None if seq is None else self.entries[conv][seq - 1]

    def present(self, conv: ConvID) -> list[Membership]:
        """The open spans of a conversation, in no order."""
        newest = [spans[-1] for spans in self.spans.get(conv, {}).values()]
        return [span for span in newest if span.until is None]

    def append(self, request: Append, at: int) -> Appended:
        """Append at `at` (ms). Raises MembersChanged, WebchatError(CONFLICT)."""
        known = self._known(request)
        if known is not None:
            return known
        self._check_conditions(request)
        entries = self._write(request.conv, request.drafts, at, request.is_membership)
        last = entries[-1]
        followed: list[Entry] = []
        for follow in request.follows(entries[0].seq):
            followed += self._follow(follow, entries[0])
        moved = self._move_sender(last) if request.moves_sender else None
        return Appended(tuple(entries), tuple(followed), fresh=True, moved=moved)

    def _move_sender(self, entry: Entry) -> Moved:
        key = (entry.conv, entry.sender)
        before = self.positions.get(key, NO_POSITION)
        self.positions[key] = Position(entry.seq, entry.seq, entry.n)
        return Moved(*key, before, self.positions[key])

    def move(self, move: Move) -> Moved:
        """Move a member's positions forward, at most to the log's last."""
        last = self.heads.get(move.conv, NO_HEAD).last
        before = self.positions.get((move.conv, move.uid), NO_POSITION)
        displayed = max(before.displayed, min(move.displayed, last))
        delivered = max(before.delivered, min(move.delivered, last), displayed)
        after = Position(delivered, displayed, self._n_at(move.conv, displayed))
        if after != before:
            self.positions[move.conv, move.uid] = after
        return Moved(move.conv, move.uid, before, after)

    def _known(self, request: Append) -> Appended | None:
        """What a request did the first time, if one of its keys was met before."""
        found = [self.find(request.conv, each.sender, each.msg_id) for each in request.drafts]
        entries = tuple(entry for entry in found if entry is not None)
        if not entries:
            return None
        seq = entries[0].seq
        followed = [
            self.find(user_log(draft.sender), draft.sender, draft.msg_id)
            for follow in request.follows(seq)
            for draft in follow.said_to_users(request.conv, seq, 0)
        ]
        return Appended(entries, tuple(e for e in followed if e is not None), fresh=False)

    def _check_conditions(self, request: Append) -> None:
        head = self.heads.get(request.conv, NO_HEAD)
        if request.must_be_new and head.last:
            raise WebchatError(Code.CONFLICT, f"{request.conv} exists already")
        if request.members_as_of is not None and head.members_seq > request.members_as_of:
            raise MembersChanged(request.conv)
        for change in request.follow.conditions if request.follow else ():
            if 0 < change.refers <= head.last:
                envelope = self.drafts[request.conv][change.refers - 1].envelope
                if last_change(envelope) > (change.as_of or 0):
                    raise MembersChanged(request.conv)

    def _write(
        self, conv: ConvID, drafts: Iterable[Draft], at: int, is_membership: bool
    ) -> list[Entry]:
        head = self.heads.get(conv, NO_HEAD)
        seq, n, written = head.last, head.n, []
        for draft in drafts:
            seq, n = seq + 1, n + (draft.kind == "message")
            entry = seal(draft, conv, seq, n, at)
            self.put(entry, draft, seq if is_membership else head.members_seq)
            written.append(entry)
        return written

    def put(self, entry: Entry, draft: Draft, members_seq: Seq) -> None:
        """Make `entry`, which `draft` became, the end of its log."""
        conv = entry.conv
        self.entries[conv].append(entry)
        self.drafts[conv].append(draft)
        self.members_seqs[conv].append(members_seq)
        if draft.msg_id:
            self.keys[conv, draft.sender, draft.msg_id] = entry.seq
        self.heads[conv] = Head(entry.seq, entry.n, entry.at, members_seq)

    def _follow(self, follow: Follow, cause: Entry) -> list[Entry]:
        """Do what follows from `cause`; returns the new entries of user logs."""
        for span in follow.spans_at(cause.seq):
            self._write_span(span)
        for change in follow.changes:
            self._change(change, cause)
        if follow.group is not None:
            self.groups[follow.group.conv] = follow.group
        self.invitations += (
            msgspec.structs.replace(invitation, at=cause.at) for invitation in follow.invitations
        )
        announced = []
        for draft in follow.said_to_users(cause.conv, cause.seq, cause.at):
            log = user_log(draft.sender)
            if (log, draft.sender, draft.msg_id) not in self.keys:
                announced += self._write(log, [draft], cause.at, is_membership=False)
        return announced

    def _write_span(self, span: Membership) -> None:
        spans = self.spans[span.conv].setdefault(span.uid, [])
        is_open = bool(spans) and spans[-1].until is None
        if span.until is not None:
            spans[-1 if is_open else len(spans) :] = [span]
        elif is_open and spans[-1].since == span.since:
            spans[-1] = span
        elif not is_open:
            spans.append(span)
            seq = span.since - 1
            self.positions[span.conv, span.uid] = Position(seq, seq, self._n_at(span.conv, seq))

    def _change(self, change: Change, cause: Entry) -> None:
        conv, seq = cause.conv, change.refers
        if not 0 < seq < cause.seq:
            return
        if change.kind == "react":
            self._react(self.reactions[conv, seq], change, cause.seq)
            return
        entry, draft = self.entries[conv][seq - 1], self.drafts[conv][seq - 1]
        envelope = changed(draft.envelope, change, cause.seq)
        draft = msgspec.structs.replace(draft, envelope=envelope)
        self.drafts[conv][seq - 1] = draft
        self.entries[conv][seq - 1] = seal(draft, conv, seq, entry.n, entry.at)

    def _react(self, reactions: dict[Uid, tuple[str, Seq]], change: Change, by: Seq) -> None:
        if change.body:
            reactions[change.sender] = (change.body, by)
        else:
            reactions.pop(change.sender, None)

    def _n_at(self, conv: ConvID, seq: Seq) -> int:
        return self.entries[conv][seq - 1].n if seq else 0
