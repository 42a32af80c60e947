"""Logs: of conversations and of users alike. The one truth of the product."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, Literal, Protocol

import msgspec

from webchat.errors import Code, MembersChanged, WebchatError
from webchat.model import (
    ConvID,
    Draft,
    Entry,
    Group,
    Head,
    Invitation,
    Membership,
    Seq,
    Uid,
    user_log,
)  # fmt: skip
from webchat.ports.positions import Moved

SEQ_OF_ENTRY = -1
"""In the `since`/`until` of a `Follow`'s memberships: the `Seq` that its first draft gets."""

_KEPT_ON_DELETE: Final = (
    "EvtType", "From", "Originated", "To", "MsgID", "Timestamp", "Body", "Refers",
)  # fmt: skip
_decode_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Change(msgspec.Struct, frozen=True):
    """What an entry changes in the earlier entry `refers` of its log, whose `Seq` stays.

    `edit`: its `Body` becomes `body`, `Edited` the changing entry's `Seq`. `delete`: its `Body`
    becomes "" and its optional fields go, `Deleted` is that `Seq`; a later edit changes nothing.
    `react`: `sender` has reacted with `body`, "" takes it back; readable by `Log.reactions`.
    Changes of a higher `Seq` win, in whatever order they are written. `as_of`: the append is
    refused with MembersChanged if an edit or a deletion of that entry has a higher `Seq`; None: do
    not ask.
    """

    kind: Literal["edit", "delete", "react"]
    refers: Seq
    sender: Uid
    body: str = ""
    as_of: Seq | None = None


def changed(envelope: bytes, change: Change, by: Seq) -> bytes:
    """A draft's `envelope` once the entry at `by` changed it; the same bytes where it does not.

    The same changes in any order come to the same envelope; what a client said is kept verbatim.
    """
    fields = _decode_fields(envelope)
    if change.kind == "edit" and "Deleted" not in fields and by > _seq_in(fields, "Edited"):
        fields |= {"Body": _raw(change.body), "Edited": _raw(by)}
        return msgspec.json.encode(fields)
    if change.kind == "delete" and by > _seq_in(fields, "Deleted"):
        kept = {name: fields[name] for name in _KEPT_ON_DELETE if name in fields}
        return msgspec.json.encode(kept | {"Body": _raw(""), "Deleted": _raw(by)})
    return envelope


def last_change(envelope: bytes) -> Seq:
    """The last edit or deletion of an entry with that envelope, 0 if there is none."""
    fields = _decode_fields(envelope)
    return max(_seq_in(fields, "Edited"), _seq_in(fields, "Deleted"))


def without_text(envelope: bytes) -> bytes:
    """The envelope of an entry with a blank `Body`."""
    return msgspec.json.encode(_decode_fields(envelope) | {"Body": _raw("")})


def _seq_in(fields: Mapping[str, msgspec.Raw], name: str) -> Seq:
    return msgspec.json.decode(fields[name], type=int) if name in fields else 0


def _raw(value: str | int) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))


class Follow(msgspec.Struct, frozen=True):
    """What must come with an entry, even if the process dies right after the append.

    `memberships`: spans to open or close; `since`/`until` may be SEQ_OF_ENTRY. A closed span
    overwrites the open one of the same conv, uid; opening moves that user's positions to
    `since` - 1, and does nothing if a span is open. `announce`: (uid, state "added" | "left")
    each; appended to `user:<uid>` as `conversation_entry(...)` says, keyed by `conv:seq`, so it
    comes once. A membership whose role differs from the open span's, with the same `since`,
    changes the role. `changes`: of earlier entries. `group`: what is now true of the group.
    `invitations`: kept for `Invitations`, and appended to `user:<uid>` as `invitation_entry(...)`
    says, keyed by their id.
    """

    memberships: tuple[Membership, ...] = ()
    announce: tuple[tuple[Uid, str], ...] = ()
    changes: tuple[Change, ...] = ()
    group: Group | None = None
    invitations: tuple[Invitation, ...] = ()

    @property
    def conditions(self) -> Iterator[Change]:
        """Those of `changes` whose `as_of` asks for something."""
        return (change for change in self.changes if change.as_of is not None)

    def said_to_users(self, conv: ConvID, seq: Seq, at: int) -> list[Draft]:
        """What is appended to the log of each draft's sender when `conv` got `seq` at `at` (ms)."""
        return [
            *(conversation_entry(uid, conv, state, seq, at) for uid, state in self.announce),
            *(invitation_entry(invitation, at) for invitation in self.invitations),
        ]

    def spans_at(self, seq: Seq) -> list[Membership]:
        """`memberships` of an append whose first draft got `seq`."""
        return [
            msgspec.structs.replace(
                span,
                since=seq if span.since == SEQ_OF_ENTRY else span.since,
                until=seq if span.until == SEQ_OF_ENTRY else span.until,
            )
            for span in self.memberships
        ]


def conversation_entry(uid: Uid, conv: ConvID, state: str, seq: Seq, at: int) -> Draft:
    """The user-log draft that says `conv` was added or left at `seq` (protocol, section 2)."""
    said = {"Conv": conv, "state": state, "Seq": seq}
    return _said_to_user("conversation", uid, f"{conv}:{seq}", said, at)


def invitation_entry(invitation: Invitation, at: int) -> Draft:
    """The user-log draft that tells of an invitation (protocol, section 8)."""
    said = {"id": invitation.id, "Conv": invitation.conv, "from": invitation.by}
    return _said_to_user("invitation", invitation.uid, invitation.id, said, at)


def setting_entry(uid: Uid, said: Mapping[str, object], key: str, at: int) -> Draft:
    """The user-log draft that tells what of the own account was changed (protocol, section 2)."""
    return _said_to_user("setting", uid, key, said, at)


def invite(invitation: Invitation, at: int, as_of: Seq | None) -> Append:
    """The append that makes an invitation which follows from no other entry.

    Refused with MembersChanged if it was not known that there is another: such an invitation counts
    as a membership entry of its user's log, of which `as_of` is where it was decided on (None: do
    not ask).
    """
    return Append(
        user_log(invitation.uid),
        (invitation_entry(invitation, at),),
        members_as_of=as_of,
        is_membership=True,
        follow=Follow(invitations=(invitation,)),
    )


def _said_to_user(kind: str, uid: Uid, key: str, said: Mapping[str, object], at: int) -> Draft:
    envelope = {
        "EvtType": kind, "From": uid, "Originated": "", "To": uid, "MsgID": "",
        "Timestamp": at // 1000, "Body": json.dumps(said, separators=(",", ":")),
    }  # fmt: skip
    return Draft(kind, uid, key, msgspec.json.encode(envelope))


class Append(msgspec.Struct, frozen=True, gc=False):
    """One request to append `drafts` to the end of `conv`, all or none, next to each other.

    `members_as_of`: refuse with MembersChanged if a membership entry has a higher `Seq`; None: do
    not ask. `is_membership`: these drafts are membership entries. `must_be_new`: refuse with
    WebchatError(CONFLICT) if the log exists. `follow` is done always, `on_first` only if the drafts
    are the first of their log. `moves_sender`: the sender's own positions move to the last draft.
    """

    conv: ConvID
    drafts: tuple[Draft, ...]
    members_as_of: Seq | None = None
    is_membership: bool = False
    must_be_new: bool = False
    follow: Follow | None = None
    on_first: Follow | None = None
    moves_sender: bool = False

    def as_of(self, seq: Seq) -> Append:
        """The same, decided on as of the entry `seq`."""
        return msgspec.structs.replace(self, members_as_of=seq)

    def follows(self, first: Seq) -> list[Follow]:
        """What has to follow when the first draft gets the `Seq` `first`."""
        follows = [] if self.follow is None else [self.follow]
        if first == 1 and self.on_first is not None:
            follows.append(self.on_first)
        return follows


def check_append(request: Append) -> None:
    """Raises ValueError if `request` contradicts itself: no drafts, or two with the same key."""
    drafts = request.drafts
    if len(drafts) == 1:
        return
    keys = [(draft.sender, draft.msg_id) for draft in drafts if draft.msg_id]
    if not drafts or len(set(keys)) < len(keys):
        raise ValueError(f"an append to {request.conv} without drafts, or with a key twice")


def check_conditions(request: Append, head: Head) -> None:
    """What `must_be_new` and `members_as_of` ask of a log that ends at `head`, NO_HEAD if there is
    none. Raises WebchatError(CONFLICT), MembersChanged."""
    if request.must_be_new and head.last:
        raise WebchatError(Code.CONFLICT, f"{request.conv} exists already")
    if request.members_as_of is not None and head.members_seq > request.members_as_of:
        raise MembersChanged(request.conv)


class Appended(msgspec.Struct, frozen=True, gc=False):
    """The outcome of an append: its entries, and those of user logs that followed.

    `fresh` is False when a draft's key was met again: then `entries` are the first ones, with their
    first `Seq`, nothing was written and `followed` holds what had followed then, if it is known.
    `moved`: what `moves_sender` did.
    """

    entries: tuple[Entry, ...]
    followed: tuple[Entry, ...]
    fresh: bool
    moved: Moved | None = None


AppendDone = Callable[["Appended | Exception"], None]


class Log(Protocol):
    """Append-only logs with gapless `Seq`, found by ConvID.

    Promises: what `done` was told is durable; per log, `done` calls come in the order of `Seq`
    (and in one loop turn for all of a batch); appends of one log asked for in some order get their
    `Seq` in that order; idempotent by (conv, sender, msg_id) for at least 24 hours, whichever
    process asks; the key is looked up before any condition. A failed store answers
    WebchatError(UNAVAILABLE): nothing is known to be stored.
    """

    def append(self, request: Append, done: AppendDone) -> None:
        """Queue `request`; `done` is called once, later, on the loop's thread, never from inside.

        `done` gets Appended, or MembersChanged, or WebchatError (CONFLICT, UNAVAILABLE).
        Raises ValueError at once if there are no drafts, or two of them with the same key.
        """

    async def read(self, conv: ConvID, after: Seq, limit: int) -> list[Entry]:
        """Up to `limit` entries with `Seq` > `after`, ascending. Unknown log: none."""

    async def read_each(
        self, places: Mapping[ConvID, Seq], limit: int
    ) -> Mapping[ConvID, list[Entry]]:
        """What `read` finds after a place in each of many logs; those with nothing are left out."""

    async def read_before(self, conv: ConvID, before: Seq | None, limit: int) -> list[Entry]:
        """The newest `limit` entries with `Seq` < `before` (None: all), ascending."""

    async def find(self, conv: ConvID, sender: Uid, msg_id: str) -> Entry | None:
        """The entry with that key of idempotence, if it is still known (at least 24 hours). What
        follows from it is done by then."""

    async def heads(self, convs: Sequence[ConvID]) -> Mapping[ConvID, Head]:
        """The heads of many logs at once; those that do not exist are left out."""

    async def reactions(
        self, conv: ConvID, seqs: Sequence[Seq], limit: int, since: Uid = ""
    ) -> Mapping[Seq, Mapping[Uid, str]]:
        """Who reacted how to these entries, of each up to `limit`, by uid, from `since` on; those
        without a reaction are left out."""
