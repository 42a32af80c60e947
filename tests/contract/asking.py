"""The words the contracts are written in: drafts, spans, and appends that can be awaited."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from webchat.model import ConvID, Draft, Group, Membership, Seq, Uid, pair_conv
from webchat.ports.log import SEQ_OF_ENTRY, Append, Appended, Change, Follow
from webchat.ports.positions import Move, Moved
from webchat.ports.store import Store

T = TypeVar("T")


def message(sender: Uid, msg_id: str, text: str = "hello") -> Draft:
    """A message's draft."""
    return Draft("message", sender, msg_id, f'{{"Body":"{text}"}}'.encode())


def notice(kind: str, sender: Uid, msg_id: str = "", uids: Sequence[Uid] = ()) -> Draft:
    """The draft of a create, join or depart; `uids`: whom it brings in."""
    envelope = {"EvtType": kind, "Body": json.dumps(uids)}
    return Draft(kind, sender, msg_id, json.dumps(envelope).encode())


def opens(conv: ConvID, *uids: Uid) -> Follow:
    """What follows when people come in."""
    spans = tuple(Membership(conv, uid, SEQ_OF_ENTRY, None, "") for uid in uids)
    return Follow(spans, tuple((uid, "added") for uid in uids))


def create(group: ConvID, *uids: Uid, msg_id: str = "") -> Append:
    """A group made by the first of `uids`, with all of them in it."""
    draft = notice("create", uids[0], msg_id, uids[1:])
    return Append(group, (draft,), is_membership=True, must_be_new=True, follow=opens(group, *uids))


def named(group: Group, *uids: Uid) -> Append:
    """A group made by the first of `uids`, with a row that says `group`."""
    made = create(group.conv, *uids)
    return with_row(made, group)


def with_row(request: Append, group: Group) -> Append:
    """`request`, after which `group` is true."""
    follow = msgspec.structs.replace(request.follow or Follow(), group=group)
    return msgspec.structs.replace(request, follow=follow)


def refer(group: ConvID, sender: Uid, *uids: Uid) -> Append:
    """People brought into a group."""
    draft = notice("join", sender, "", uids)
    return Append(group, (draft,), is_membership=True, follow=opens(group, *uids))


def depart(group: ConvID, uid: Uid, since: int) -> Append:
    """A member who came in at `since` leaves."""
    span = Membership(group, uid, since, SEQ_OF_ENTRY, "")
    follow = Follow((span,), ((uid, "left"),))
    return Append(group, (notice("depart", uid),), is_membership=True, follow=follow)


def remove(group: ConvID, sender: Uid, uid: Uid, since: int) -> Append:
    """A member who came in at `since` is put out."""
    span = Membership(group, uid, since, SEQ_OF_ENTRY, "")
    draft = notice("remove", sender, "", (uid,))
    return Append(group, (draft,), is_membership=True, follow=Follow((span,), ((uid, "left"),)))


def changing(conv: ConvID, sender: Uid, change: Change, msg_id: str = "") -> Append:
    """An edit, delete or reaction."""
    envelope = {"EvtType": change.kind, "Body": change.body, "Refers": change.refers}
    draft = Draft(change.kind, sender, msg_id, json.dumps(envelope).encode())
    return Append(conv, (draft,), follow=Follow(changes=(change,)))


def edit(conv: ConvID, sender: Uid, refers: Seq, body: str, msg_id: str = "") -> Append:
    """The entry at `refers` says `body` from now on."""
    return changing(conv, sender, Change("edit", refers, sender, body), msg_id)


def delete(conv: ConvID, sender: Uid, refers: Seq) -> Append:
    """The entry at `refers` says nothing any more."""
    return changing(conv, sender, Change("delete", refers, sender))


def react(conv: ConvID, sender: Uid, refers: Seq, body: str) -> Append:
    """`sender` reacts to the entry at `refers`; "" takes it back."""
    return changing(conv, sender, Change("react", refers, sender, body))


def to_pair(sender: Uid, receiver: Uid, msg_id: str) -> Append:
    """A message to a pair, which comes to be with its first one."""
    conv = pair_conv(sender, receiver)
    first = opens(conv, *{sender: 0, receiver: 0})
    return Append(conv, (message(sender, msg_id),), on_first=first, moves_sender=True)


def send(store: Store, request: Append) -> asyncio.Future[Appended]:
    """Ask for an append at once; the future is its outcome."""
    future: asyncio.Future[Appended] = asyncio.get_running_loop().create_future()
    store.log.append(request, lambda outcome: _settle(future, outcome))
    return future


async def move(store: Store, *moves: Move) -> Sequence[Moved]:
    """Move positions, and wait until that is durable."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    told: list[Moved] = []

    def tell(outcome: Sequence[Moved] | Exception) -> None:
        """Those of each conversation may come apart."""
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
            return
        told.extend(outcome)
        if len(told) == len(moves):
            future.set_result(None)

    store.positions.move(moves, tell)
    await future
    convs = [one.conv for one in told]
    outcomes = []
    for asked in moves:
        place = convs.index(asked.conv)
        convs.pop(place)
        outcomes.append(told.pop(place))
    for outcome in outcomes:
        if outcome.refused is not None:
            raise outcome.refused
    return outcomes


def _settle(future: asyncio.Future[T], outcome: T | Exception) -> None:
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
