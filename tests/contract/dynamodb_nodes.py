"""Nodes on one table of a real engine, and a table between them and it that misbehaves on order."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from tests.contract.asking import send
from tests.engines.dynamodb import DynamoServer
from webchat.adapters.dynamodb import DynamoPorts, DynamoSettings, keys
from webchat.adapters.dynamodb.client import DynamoTable
from webchat.adapters.dynamodb.steady import key_of
from webchat.adapters.dynamodb.table import Expect, Failed, Item, Key, Marked, Page, Span, Table
from webchat.adapters.memory import LoopClock
from webchat.ports.clock import Clock
from webchat.ports.log import Append
from webchat.ports.store import Mode

T = TypeVar("T")


class FaultyTable:
    """Passes everything on to `table`, but for what `before_put`, `after_put` and `before_delete`
    say.

    They get the item, or its key, and may raise, or wait; `after_put` when it is written. `puts`
    counts by the first letter of `sk`, refused ones too. Once `is_gone` nothing gets through: its
    process is dead.
    """

    def __init__(self, table: Table) -> None:
        self.table: Any = table
        self.puts: Counter[str] = Counter()
        self.reads: Counter[str] = Counter()
        self.before_put: Callable[[Item], Awaitable[None]] | None = None
        self.after_put: Callable[[Item], Awaitable[None]] | None = None
        self.before_delete: Callable[[Key], Awaitable[None]] | None = None
        self.is_gone = asyncio.Event()

    async def die(self, _: Item) -> None:
        """Never go on: a hook for a process that is killed at this moment."""
        await self.is_gone.wait()
        raise _dead()

    async def get(self, key: Key) -> Item | None:
        self.reads["get"] += 1
        return await self._alive(self.table.get(key))

    async def get_many(self, keys: Sequence[Key]) -> list[Item]:
        self.reads["get_many"] += 1
        return await self._alive(self.table.get_many(keys))

    async def put(self, item: Item, expect: Expect) -> None:
        self.puts[str(item["sk"])[:1]] += 1
        if self.before_put is not None:
            await self.before_put(item)
        await self._alive(self.table.put(item, expect))
        if self.after_put is not None:
            await self.after_put(item)

    async def put_many(self, items: Sequence[Item]) -> None:
        await self._alive(self.table.put_many(items))

    async def delete(self, key: Key, expect: Expect) -> None:
        if self.before_delete is not None:
            await self.before_delete(key)
        await self._alive(self.table.delete(key, expect))

    async def query(self, span: Span, limit: int, after: Key | None = None) -> Page:
        self.reads["query"] += 1
        return await self._alive(self.table.query(span, limit, after))

    async def marked(self, shard: str, limit: int) -> list[Marked]:
        return await self._alive(self.table.marked(shard, limit))

    async def scan(self, limit: int, after: Key | None = None) -> Page:
        return await self._alive(self.table.scan(limit, after))

    async def _alive(self, request: Coroutine[object, object, T]) -> T:
        """What `request` comes to, unless this node is dead before it is sent, or answered."""
        if self.is_gone.is_set():
            request.close()
            raise _dead()
        answer = await request
        if self.is_gone.is_set():
            raise _dead()
        return answer


class Node(DynamoPorts):
    """What one process has of the store, with its own view of the table."""

    def __init__(self, faulty: FaultyTable, settings: DynamoSettings, clock: Clock) -> None:
        super().__init__(faulty, settings, clock)
        self.faulty = faulty

    async def open(self, mode: Mode) -> None:
        """Take the mode, and begin to look for marks."""
        await self.take_mode(mode, "the table")
        self.start()

    async def close(self) -> None:
        """Finish what is queued."""
        await self.stop()


class Cluster:
    """Nodes that share a table."""

    def __init__(self, server: DynamoServer, **limits: int) -> None:
        self.settings = DynamoSettings("eu-west-1", server.new_table(), server.endpoint, **limits)
        self._clients: list[DynamoTable] = []
        self._nodes: list[Node] = []

    async def node(self, clock: Clock | None = None) -> Node:
        """One more node; it does not look for marks by itself."""
        client = DynamoTable(self.settings)
        await client.open()
        self._clients.append(client)
        if not self._nodes:
            await client.create()
        made = Node(FaultyTable(client), self.settings, clock or LoopClock())
        self._nodes.append(made)
        return made

    async def close(self) -> None:
        """Stop all nodes."""
        for node in self._nodes:
            node.faulty.is_gone.set()
        for node in self._nodes:
            await node.close()
        for client in self._clients:
            await client.close()


async def dies_after_the_append(node: Node, request: Append) -> None:
    """Append, and never get further: the process is gone when its head has been written."""
    written, has_begun = asyncio.Event(), False

    async def die(item: Item) -> None:
        nonlocal has_begun
        if key_of(item) == keys.head(request.conv):
            has_begun = True
        elif has_begun:
            written.set()
            await node.faulty.die(item)

    node.faulty.before_put = die
    send(node, request).add_done_callback(asyncio.Future.exception)
    await asyncio.wait_for(written.wait(), 20)


@asynccontextmanager
async def cluster_of(server: DynamoServer, **limits: int) -> AsyncIterator[Cluster]:
    """A cluster that is closed in the end."""
    cluster = Cluster(server, **limits)
    try:
        yield cluster
    finally:
        await cluster.close()


def _dead() -> Failed:
    return Failed("this node is dead", may_help=False)


def timed_out() -> Failed:
    """What a request without an answer raises: done or not, nobody knows."""
    return Failed("no answer in time")


def throttled() -> Failed:
    """What a request that was refused for its units raises."""
    return Failed("ThrottlingException")
