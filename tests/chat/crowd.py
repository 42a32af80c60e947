"""A group on a real store, and nodes by which many come in and leave at the same moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from tests.chat.world import FakeSocket, Person, World
from tests.memory import ManualClock
from webchat.adapters.sqlite import SqliteSettings, SqliteStore
from webchat.model import Uid
from webchat.ports.log import Append, AppendDone
from webchat.protocol.envelope import Envelope
from webchat.service.consent import Consented
from webchat.service.entering import Entered, Entrance
from webchat.service.links import LinkService, LinkSettings
from webchat.service.membership_entries import create
from webchat.service.standing import Standing, Standings

G: Final = "group_crowd"


class Node:
    """A node on `store`, and what REST does there."""

    def __init__(self, store: SqliteStore, beside: World | None) -> None:
        self.store = store
        self.world = World(store=store, beside=beside)
        self.appends = self.world.chat.appends
        self.standings = Standings(store.log, store.members)
        self.entrance = Entrance(self.standings, self.appends, self.world.clock)
        self.links = LinkService(
            store.links, store.log, self.standings, self.entrance, self.world.clock, LinkSettings()
        )

    async def found(self, *others: Uid) -> None:
        """anna makes the group."""

        async def decide() -> Append:
            return create("anna", G, Consented(others), Envelope("create"), "Crowd")

        await self.appends.decided(G, decide)

    async def let_in(self, uid: Uid) -> Entered:
        """As everybody comes into a public group."""

        async def key(_: Standing) -> str:
            return f"join-{uid}"

        return await self.entrance.let_in(uid, G, key, by=uid)

    def count_appends(self) -> list[str]:
        """The kinds of all that is tried to be appended to the group from now on."""
        tried: list[str] = []
        log: Any = self.store.log
        append = log.append

        def counted(request: Append, done: AppendDone) -> None:
            if request.conv == G:
                tried.append(request.drafts[0].kind)
            append(request, done)

        log.append = counted
        return tried


class Waiting(Person):
    """A person who waits for answers however long the store takes."""

    def __init__(self, world: World, uid: Uid) -> None:
        super().__init__(world, uid)
        self._answered = asyncio.Event()
        self.socket = _Telling(self._answered)

    async def ask(self, name: str, *args: Any) -> Any:
        ack_id = self.say(name, *args)
        while ack_id not in self.socket.acks:
            self._answered.clear()
            await self._answered.wait()
        return self.socket.acks[ack_id]


class _Telling(FakeSocket):
    def __init__(self, answered: asyncio.Event) -> None:
        super().__init__()
        self._answered = answered

    def ack(self, ack_id: int, args: bytes) -> None:
        super().ack(ack_id, args)
        self._answered.set()


@asynccontextmanager
async def nodes(path: Path, count: int = 1) -> AsyncIterator[Sequence[Node]]:
    """So many nodes on one SQLite file."""
    store = SqliteStore(path / "crowd.db", SqliteSettings(), ManualClock())
    await store.open("secured")
    made = [Node(store, None)]
    made += [Node(store, made[0].world) for _ in range(count - 1)]
    try:
        yield made
    finally:
        for node in made[::-1]:
            await node.world.chat.close()
        await store.close()
