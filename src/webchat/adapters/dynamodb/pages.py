"""Keys of idempotence of a whole day, read back at a node's first append to a log.

Every 1,024 entries their keys are written once more, as eight bytes each: so reading back a day of
a million messages is a few megabytes and not the messages.
"""

from __future__ import annotations

from array import array
from typing import Final

from webchat.adapters.dynamodb import keys
from webchat.adapters.dynamodb.head import LogHead, as_bytes
from webchat.adapters.dynamodb.reader import LogReader
from webchat.adapters.dynamodb.settings import DynamoSettings
from webchat.adapters.dynamodb.steady import MOST_KEYS, SteadyTable
from webchat.adapters.dynamodb.table import ABSENT, Item, Key
from webchat.adapters.dynamodb.window import RUN_KEYS, Window, hashed
from webchat.model import ConvID, Seq
from webchat.ports.clock import Clock

_MOST_PAGES_BEHIND: Final = 2
Pairs = list[tuple[int, Seq]]


class KeyPages:
    """Fills windows. Every method may raise WebchatError(UNAVAILABLE)."""

    def __init__(
        self, table: SteadyTable, reader: LogReader, settings: DynamoSettings, clock: Clock
    ) -> None:
        self._table = table
        self._reader = reader
        self._kept_ms = settings.keys_kept_ms
        self._clock = clock

    async def catch_up(self, window: Window | None, head: LogHead) -> Window:
        """A window with all keys up to the last of `head`: `window`, or one that is read back."""
        near = head.first - _MOST_PAGES_BEHIND * RUN_KEYS
        if window is None or window.until < near:
            window = await self._read_back(head)
        elif window.until + 1 < head.first:
            async for batch in self._reader.batches_from(head, window.until + 1):
                for seq, record in enumerate(batch.records, batch.first):
                    if window.until < seq < head.first:
                        window.learn(seq, record.sender, record.msg_id, record.at)
        window.learn_from(head.inline(window.until))
        window.forget(self._oldest())
        return window

    async def write_pages(self, window: Window, before: Seq, first: Seq) -> None:
        """Entries up to `first` have been rolled out, up to `before` they were already. What is too
        old to matter is forgotten then: a node that alone writes to a log never catches up."""
        for number in range((before - 1) // RUN_KEYS, (first - 1) // RUN_KEYS):
            pairs = window.between(number * RUN_KEYS + 1, (number + 1) * RUN_KEYS)
            await self._write_page(window.conv, number, pairs, self._clock.now_ms())
        window.forget(self._oldest())

    async def _read_back(self, head: LogHead) -> Window:
        window = Window(head.conv, head.first - 1)
        if head.first == 1 or (head.tail and head.tail[0].at < self._oldest()):
            return window
        number = (head.first - 1) // RUN_KEYS
        (at, _), count = await self._adopt_batches(window, number * RUN_KEYS, head.first), 2
        while number > 0 and at >= self._oldest():
            wanted = range(number - 1, max(number - 1 - count, -1), -1)
            at = await self._adopt_pages(window, wanted)
            number, count = wanted[-1], min(count * 4, MOST_KEYS)
        return window

    async def _adopt_pages(self, window: Window, numbers: range) -> int:
        """Learn the keys of pages, newest first; when (ms) what was learnt last was new."""
        found = await self._table.get_many(page_key(window.conv, number) for number in numbers)
        at = self._clock.now_ms()
        for number in numbers:
            if at < self._oldest():
                break
            page = found.get(page_key(window.conv, number))
            if page is None:
                at = await self._make_page(window, number)
            else:
                window.adopt(_read_page(page), at := int(page["at"]))
        return at

    async def _make_page(self, window: Window, number: int) -> int:
        """Learn the keys of the entries that a page would be of, and write it."""
        first, end = number * RUN_KEYS, (number + 1) * RUN_KEYS + 1
        at, newest = await self._adopt_batches(window, first, end)
        await self._write_page(window.conv, number, window.between(first + 1, end - 1), newest)
        return at

    async def _adopt_batches(self, window: Window, after: Seq, before: Seq) -> tuple[int, int]:
        """Learn the keys of the entries between, newest first, for as long as they matter; when
        (ms) the oldest and the newest batch of them was new."""
        pairs: Pairs = []
        newest, at = 0, self._clock.now_ms()
        async for batch in self._reader.batches_before(window.conv, before, before - after):
            pairs += (
                (hashed(record.sender, record.msg_id), seq)
                for seq, record in enumerate(batch.records, batch.first)
                if record.msg_id and after < seq < before
            )
            at = batch.records[-1].at
            newest = max(newest, at)
            if batch.first <= after + 1 or at < self._oldest():
                break
        window.adopt(pairs, newest)
        return at, newest

    async def _write_page(self, conv: ConvID, number: int, pairs: Pairs, at: int) -> None:
        key = page_key(conv, number)
        item: Item = {
            **key._asdict(),
            "at": at,
            "hashes": array("Q", [hash_ for hash_, _ in pairs]).tobytes(),
            "places": array("H", [(seq - 1) % RUN_KEYS for _, seq in pairs]).tobytes(),
        }
        await self._table.put_if(item, ABSENT)

    def _oldest(self) -> int:
        return self._clock.now_ms() - self._kept_ms


def page_key(conv: ConvID, number: int) -> Key:
    return Key(keys.log(conv), f"{keys.KEYS}{keys.padded(number)}")


def _read_page(page: Item) -> Pairs:
    number = int(str(page["sk"]).removeprefix(keys.KEYS))
    hashes, places = array("Q"), array("H")
    hashes.frombytes(as_bytes(page["hashes"]))
    places.frombytes(as_bytes(page["places"]))
    seqs = (number * RUN_KEYS + place + 1 for place in places)
    return list(zip(hashes, seqs, strict=True))
