"""Entries on their way to the other nodes, and the names of logs whose publishes failed.

An entry is durable before it is published, so of a publish that failed the log's name is enough:
when the bus is back its head is published, and whoever lacks something reads it from the log
(docs/architecture.md, "Many nodes").
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import msgspec

from webchat.chat.settings import RepairSettings
from webchat.chat.tools import Tools
from webchat.chat.topics import COMPARE, ENTRY, HEAD, NODES, topics_of
from webchat.model import ConvID, Entry, Head
from webchat.ports.bus import PublishDone

_encode = msgspec.json.Encoder().encode


class Publishing:
    """What this node tells the others of its logs. All calls on the loop's thread."""

    def __init__(self, tools: Tools, settings: RepairSettings) -> None:
        self._bus = tools.bus
        self._log = tools.store.log
        self._patience = tools.patience
        self._settings = settings
        self._failed: dict[ConvID, None] = {}
        self.stats = tools.stats

    def publish(self, entry: Entry, done: PublishDone | None = None) -> None:
        """Tell the other nodes of an entry. A `done` of one's own tells `failed` of a failure."""
        if self._bus.is_alone:
            if done is not None:
                done(0)
            return
        conv = entry.conv
        self._bus.publish(
            topics_of(conv), ENTRY + entry.envelope, done or partial(self._published, conv)
        )

    def publish_all(self, entries: Sequence[Entry], answered: Callable[[], None]) -> None:
        """Tell the other nodes of entries, at least one; `answered`: the bus has, for all of them,
        well or not, of which `failed` knows. It answers in order, so the last answer is the one to
        wait for."""

        def done(result: int | Exception) -> None:
            self._published(entries[-1].conv, result)
            answered()

        for entry in entries[:-1]:
            self.publish(entry)
        self.publish(entries[-1], done)

    async def answered(self) -> None:
        """Return once the bus has answered for all that this node has published so far."""
        over = asyncio.Event()
        self._bus.publish((NODES,), b"", lambda _: over.set())  # of no kind: it is passed over
        await over.wait()

    def _published(self, conv: ConvID, result: int | Exception) -> None:
        if isinstance(result, Exception):
            self.failed(conv)

    def failed(self, conv: ConvID) -> None:
        """Other nodes may not have heard of the newest entries of `conv`."""
        self.stats.failed_publishes += 1
        if len(self._failed) < self._settings.failed_logs:
            self._failed[conv] = None

    async def make_up(self) -> None:
        """The bus is back: publish the heads of all logs whose publishes failed, and have the other
        nodes compare all that they hold. What failed may have been too many to remember; and what
        this node said last the bus may have taken and brought to nobody, where another has stood in
        for it before this node noticed."""
        names, self._failed = self._failed, {}
        self._bus.publish((NODES,), COMPARE)
        await self.publish_heads(list(names))

    async def publish_heads(self, convs: Sequence[ConvID]) -> dict[ConvID, Head]:
        """Tell the other nodes up to where these logs go; returns that."""
        page, heads = self._settings.heads_page, dict[ConvID, Head]()
        for start in range(0, len(convs), page):
            heads.update(await self._publish_page(convs[start : start + page]))
        return heads

    async def _publish_page(self, convs: Sequence[ConvID]) -> Mapping[ConvID, Head]:
        heads = await self._patience.insist(
            lambda: self._log.heads(convs), "reading heads that others may not know"
        )
        for conv, head in heads.items():
            said = HEAD + _encode((conv, head.last))
            self._bus.publish(topics_of(conv), said, partial(self._published, conv))
        return heads
