"""A store that counts what is read of logs, and can keep the outcomes of appends to itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from tests.chat.world import World
from tests.memory.store import MemoryStore
from webchat.errors import Code, WebchatError
from webchat.model import NO_HEAD, NO_POSITION, Entry, Head, user_log
from webchat.ports.following import Followed, Following, FollowingInTurn
from webchat.ports.kept import KeptReceipts
from webchat.ports.log import Append, AppendDone, Appended
from webchat.ports.positions import Move, Moved, MoveDone


class WatchedStore:
    """`store`, seen through a WatchedLog and a WatchedKept."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.log = WatchedLog(store.log)
        self.kept = WatchedKept(store.kept)
        self.members: Any = store.members

    @property
    def following(self) -> Following:
        return WatchedFollowing(self.log, self.members)

    def __getattr__(self, port: str) -> Any:
        return getattr(self._store, port)


class WatchedLog:
    """`reads`, `read_together`, `heads_of`: what was asked for. `damaged`: logs that cannot be
    read, nor can others together with them; `headless`: those whose heads cannot. `outcomes`: while
    kept, of appends that were made; None: they are told at once. `heads_wait`: heads of several
    logs that were read are told only when it is set; `find_waits`: so is what was looked for by its
    key; `read_waits`: what was read of these logs."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self.reads: list[str] = []
        self.read_together: list[tuple[str, ...]] = []
        self.heads_of: list[tuple[str, ...]] = []
        self.heads_wait: asyncio.Event | None = None
        self.find_waits: asyncio.Event | None = None
        self.read_waits: dict[str, asyncio.Event] = {}
        self.damaged: set[str] = set()
        self.headless: set[str] = set()
        self.outcomes: list[Callable[[Any], None]] | None = None

    def __getattr__(self, method: str) -> Any:
        return getattr(self._log, method)

    async def read(self, conv: str, after: int, limit: int) -> list[Entry]:
        self.reads.append(conv)
        _check_sound(self.damaged, conv)
        entries: list[Entry] = await self._log.read(conv, after, limit)
        if conv in self.read_waits:
            await self.read_waits[conv].wait()
        return entries

    async def read_each(self, places: Mapping[str, int], limit: int) -> Mapping[str, list[Entry]]:
        self.read_together.append(tuple(places))
        _check_sound(self.damaged, *places)
        found: Mapping[str, list[Entry]] = await self._log.read_each(places, limit)
        return found

    async def heads(self, convs: Sequence[str]) -> Mapping[str, Head]:
        self.heads_of.append(tuple(convs))
        _check_sound(self.headless, *convs)
        heads: Mapping[str, Head] = await self._log.heads(convs)
        if self.heads_wait is not None and len(convs) > 1:
            await self.heads_wait.wait()
        return heads

    async def find(self, conv: str, sender: str, msg_id: str) -> Entry | None:
        entry: Entry | None = await self._log.find(conv, sender, msg_id)
        if self.find_waits is not None:
            await self.find_waits.wait()
        return entry

    def append(self, request: Append, done: AppendDone) -> None:
        def stored(result: Appended | Exception) -> None:
            if self.outcomes is None:
                done(result)
            else:
                self.outcomes.append(lambda instead: done(instead or result))

        self._log.append(request, stored)

    def tell(self, instead: Exception | None = None) -> None:
        """Tell the outcomes that were kept, or that it failed instead."""
        outcomes, self.outcomes = self.outcomes or [], None
        for tell in outcomes:
            tell(instead)


def _check_sound(damaged: set[str], *convs: str) -> None:
    if damaged.intersection(convs):
        raise WebchatError(Code.UNAVAILABLE, "the store is not answering")


class WatchedFollowing(FollowingInTurn):
    """Leaves out the logs that are headless, as a store may that can tell which these are."""

    def __init__(self, log: WatchedLog, members: Any) -> None:
        super().__init__(log, members)
        self._headless = log.headless
        self._unwatched = FollowingInTurn(log._log, members)

    async def of(self, uid: str) -> Followed:
        if not self._headless:
            return await super().of(uid)
        found = await self._unwatched.of(uid)
        memberships = [span for span in found.memberships if span.conv not in self._headless]
        heads = {conv: head for conv, head in found.heads.items() if conv not in self._headless}
        own = heads.get(user_log(uid), NO_HEAD)
        return Followed(memberships, heads, own, frozenset(self._headless))


class WatchedKept:
    """Receipts that are kept once `may_keep` is set. `taken_from`: whose were asked for;
    `may_take`: while it is not set they wait. `unreadable`: those of a user whose can never be."""

    def __init__(self, kept: KeptReceipts) -> None:
        self._kept = kept
        self.may_keep = asyncio.Event()
        self.taken_from: list[str] = []
        self.may_take = asyncio.Event()
        self.may_take.set()
        self.unreadable = ""

    async def keep(self, uid: str, envelopes: Sequence[bytes], newest: int) -> None:
        await self.may_keep.wait()
        await self._kept.keep(uid, envelopes, newest)

    async def take(self, uid: str, limit: int) -> Sequence[bytes]:
        self.taken_from.append(uid)
        await self.may_take.wait()
        if uid == self.unreadable:
            raise ValueError("no receipt of any version")
        return await self._kept.take(uid, limit)


class OldMembers:
    """Members, of which `of_user` says what they were, as long as there is an `old`."""

    def __init__(self, members: Any) -> None:
        self._members = members
        self.old: Any = None

    def __getattr__(self, method: str) -> Any:
        return getattr(self._members, method)

    async def of_user(self, uid: str) -> Any:
        return self.old or await self._members.of_user(uid)


def lose_answers(
    world: World, monkeypatch: pytest.MonkeyPatch, *, by_itself: bool, is_stored: bool = True
) -> None:
    """What the store does to positions from now on is done, or not, and not answered: each by
    itself, or all together."""
    positions = world.store.positions
    move = positions.move

    def moved(moves: Sequence[Move], done: MoveDone) -> None:
        lost = WebchatError(Code.UNAVAILABLE, "the store is not answering")
        each = [Moved(m.conv, m.uid, NO_POSITION, NO_POSITION, lost) for m in moves]
        move(moves if is_stored else (), lambda _: done(each if by_itself else lost))

    monkeypatch.setattr(positions, "move", moved)


def lose_answers_to_appends(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is appended from now on is stored, and not answered."""
    append = world.store.log.append

    def unanswered(request: Append, done: AppendDone) -> None:
        lost = WebchatError(Code.UNAVAILABLE, "the store is not answering")
        append(request, lambda _: done(lost))

    monkeypatch.setattr(world.store.log, "append", unanswered)
