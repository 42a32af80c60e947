"""The words the contracts are written in: drafts, spans, and appends that can be awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TypeVar

from webchat.model import ConvID, Draft, Membership, Uid, pair_conv
from webchat.ports.log import SEQ_OF_ENTRY, Append, Appended, Follow
from webchat.ports.positions import Move, Moved
from webchat.ports.store import Store

T = TypeVar("T")


def message(sender: Uid, msg_id: str, text: str = "hello") -> Draft:
    """A message's draft."""
    return Draft("message", sender, msg_id, f'{{"Body":"{text}"}}'.encode())


def notice(kind: str, sender: Uid, msg_id: str = "") -> Draft:
    """The draft of a create, join or depart."""
    return Draft(kind, sender, msg_id, f'{{"EvtType":"{kind}"}}'.encode())


def opens(conv: ConvID, *uids: Uid) -> Follow:
    """What follows when people come in."""
    spans = tuple(Membership(conv, uid, SEQ_OF_ENTRY, None, "") for uid in uids)
    return Follow(spans, tuple((uid, "added") for uid in uids))


def create(group: ConvID, *uids: Uid, msg_id: str = "") -> Append:
    """A group made by the first of `uids`, with all of them in it."""
    draft = notice("create", uids[0], msg_id)
    return Append(group, (draft,), is_membership=True, must_be_new=True, follow=opens(group, *uids))


def refer(group: ConvID, sender: Uid, *uids: Uid) -> Append:
    """People brought into a group."""
    return Append(group, (notice("join", sender),), is_membership=True, follow=opens(group, *uids))


def depart(group: ConvID, uid: Uid, since: int) -> Append:
    """A member who came in at `since` leaves."""
    span = Membership(group, uid, since, SEQ_OF_ENTRY, "")
    follow = Follow((span,), ((uid, "left"),))
    return Append(group, (notice("depart", uid),), is_membership=True, follow=follow)


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
    future: asyncio.Future[Sequence[Moved]] = asyncio.get_running_loop().create_future()
    store.positions.move(moves, lambda outcome: _settle(future, outcome))
    return await future


def _settle(future: asyncio.Future[T], outcome: T | Exception) -> None:
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
