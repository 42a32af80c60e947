"""Puts a group of any size, and messages in it, into a store before a server starts on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from webchat.adapters.memory.clock import LoopClock
from webchat.adapters.sqlite import SqliteSettings, SqliteStore
from webchat.model import Draft, Uid
from webchat.ports.log import SEQ_OF_ENTRY, Append, Appended, Follow
from webchat.protocol.envelope import Envelope, encode_said
from webchat.service.membership import CREATE, JOIN, body_of
from webchat.service.membership_entries import coming, founding
from webchat.service.send import group_message

GROUP = "group_bench"
PAGE = 1_000


def uid_of(index: int) -> Uid:
    """The member that connection `index` of the load client is."""
    return f"load{index:06}"


def last_seq(members: int, messages: int) -> int:
    """Where the log ends that `group_of` makes."""
    return -(-members // PAGE) + messages


def group_of(members: int, messages: int = 0) -> Callable[[Path], None]:
    """What makes, in a store's folder, a group of `members`, the first of whom has written."""
    return lambda data: asyncio.run(_make(data / "webchat.db", members, messages))


async def _make(path: Path, members: int, messages: int) -> None:
    store = SqliteStore(path, SqliteSettings(), LoopClock())
    await store.open("open")
    uids = [uid_of(index) for index in range(members)]
    owner, others = uids[0], uids[1:PAGE]
    first = founding(GROUP, owner, others, SEQ_OF_ENTRY, "")
    await _append(store, _members_entry(CREATE, owner, others, first))
    for start in range(PAGE, members, PAGE):
        added = uids[start : start + PAGE]
        await _append(store, _members_entry(JOIN, owner, added, coming(GROUP, added)))
    for number in range(messages):
        said = Envelope("message", GROUP, owner, GROUP, f"m{number}", body="hello")
        await _append(store, group_message(owner, said, members_as_of=1 << 40, moves=True))
    await store.close()


def _members_entry(kind: str, owner: Uid, uids: Sequence[Uid], follow: Follow) -> Append:
    envelope = Envelope(kind, GROUP, owner, GROUP)
    said = encode_said(kind, GROUP, owner, GROUP, envelope, body_of(uids))
    return Append(GROUP, (Draft(kind, owner, "", said),), is_membership=True, follow=follow)


async def _append(store: SqliteStore, append: Append) -> None:
    done: asyncio.Future[Appended | Exception] = asyncio.get_running_loop().create_future()
    store.log.append(append, done.set_result)
    outcome = await done
    if isinstance(outcome, Exception):
        raise outcome
