"""Stores that are filled before a server starts on them, at once through the port for imports."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain, islice
from pathlib import Path

from bench.group_store import uid_of
from bench.running import temporary_folder
from webchat.adapters.memory import LoopClock
from webchat.adapters.sqlite import SqliteSettings, SqliteStore
from webchat.model import (
    Draft,
    Login,
    Membership,
    Position,
    Profile,
    Uid,
    pair_conv,
    seal,
    user_log,
)  # fmt: skip
from webchat.ports.log import conversation_entry
from webchat.ports.store import Mode
from webchat.ports.transfer import (
    AccountRecord,
    EntryRecord,
    LoginRecord,
    MemberRecord,
    PositionRecord,
    Record,
)  # fmt: skip
from webchat.protocol.envelope import Envelope, encode_said

PAGE_RECORDS = 10_000
BYSTANDERS = 900_000
"""Where the uids begin of those who have accounts but no conversations yet."""
_DAY_MS = 86_400_000
_BODY = "a message of an ordinary length, which says nothing in particular to nobody at all"


@dataclass(frozen=True)
class Talks:
    """Each of the first `users` has a conversation of `entries` messages with each of `friends`
    friends, who never connect; `bystanders` more can log in.

    In secured mode all have accounts and tokens.
    """

    mode: Mode
    users: int
    friends: int
    entries: int
    bystanders: int = 0

    @property
    def keys(self) -> int:
        """Of idempotence, one of each entry, those of users' own logs as well."""
        return self.users * self.friends * (self.entries + 2)

    def records(self) -> Iterator[Record]:
        """All of it, a log's entries next to each other."""
        at = int(time.time() * 1000) - _DAY_MS
        users = [uid_of(index) for index in range(self.users)]
        friends = [f"friend{index:02}" for index in range(self.friends)]
        more = [uid_of(BYSTANDERS + index) for index in range(self.bystanders)]
        if self.mode == "secured":
            yield from chain.from_iterable(_account(uid, at) for uid in (*users, *friends, *more))
        for user in users:
            for friend in friends:
                yield from pair(friend, user, self.entries, at)
            yield from _added(user, friends, at)
        for friend in friends:
            yield from _added(friend, users, at)


@dataclass(frozen=True)
class LongTalk:
    """The first two users have a conversation of `entries` messages."""

    mode: Mode
    entries: int

    @property
    def keys(self) -> int:
        """Of idempotence, as above."""
        return self.entries + 2

    def records(self) -> Iterator[Record]:
        """All of it."""
        at = int(time.time() * 1000) - _DAY_MS
        a, b = uid_of(0), uid_of(1)
        if self.mode == "secured":
            yield from chain(_account(a, at), _account(b, at))
        yield from pair(a, b, self.entries, at)
        yield from chain(_added(a, [b], at), _added(b, [a], at))


Contents = Talks | LongTalk


def token_of(uid: Uid) -> str:
    """The token that a user of a secured store logs in with (load/joining.c)."""
    return f"token-of-{uid}"


def pair(a: Uid, b: Uid, entries: int, at: int) -> Iterator[Record]:
    """A conversation of two, who write in turn, `a` first, and have read all of it."""
    conv = pair_conv(a, b)
    for seq in range(1, entries + 1):
        sender, to = (a, b) if seq % 2 else (b, a)
        said = Envelope("message", sender, "", to, f"m{seq}", at // 1000)
        body = encode_said("message", sender, "", to, said, _BODY)
        draft = Draft("message", sender, said.msg_id, body)
        yield EntryRecord(seal(draft, conv, seq, seq, at), members_seq=1)
    for uid in (a, b):
        yield MemberRecord(Membership(conv, uid, 1, None, ""))
        yield PositionRecord(conv, uid, Position(entries, entries, entries))


def copy_of(contents: Contents) -> Callable[[Path], None]:
    """What puts a store with `contents` into a server's folder; it is made once a run."""

    def prepare(data: Path) -> None:
        shutil.copytree(_made(contents), data, dirs_exist_ok=True)

    return prepare


@cache
def _made(contents: Contents) -> Path:
    folder = temporary_folder("store")
    asyncio.run(_fill(folder / "webchat.db", contents))
    return folder


async def _fill(path: Path, contents: Contents) -> None:
    store = SqliteStore(path, SqliteSettings(), LoopClock())
    await store.open(contents.mode)
    records = contents.records()
    while page := list(islice(records, PAGE_RECORDS)):
        await store.transfer.restore(page)
    await store.close()


def _account(uid: Uid, at: int) -> Iterable[Record]:
    """An account, and a login of it that was last used a day ago, so that its use is noted."""
    profile = Profile(uid, uid, "", True, "everybody", False)
    login = Login(f"login-{uid}", uid, at, at, at + 30 * _DAY_MS)
    token_hash = hashlib.sha256(token_of(uid).encode()).digest()
    return AccountRecord(profile, "", at), LoginRecord(token_hash, login)


def _added(uid: Uid, others: Iterable[Uid], at: int) -> Iterator[Record]:
    """The user's own log: one conversation after the other came to be."""
    for seq, other in enumerate(others, start=1):
        conv = pair_conv(uid, other)
        entry = seal(conversation_entry(uid, conv, "added", 1, at), user_log(uid), seq, 0, at)
        yield EntryRecord(entry, members_seq=0)
