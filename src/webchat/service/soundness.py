"""Whether a store keeps the promises of its logs, as far as the ports show it: for `check`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from webchat.model import MESSAGE, NO_HEAD, ConvID, Head, Seq, head_at
from webchat.ports.store import Finding, Store
from webchat.ports.transfer import EntryRecord, MemberRecord, PositionRecord, Record

_PAGE = 500
_Bounded = MemberRecord | PositionRecord


async def findings(store: Store) -> AsyncIterator[Finding]:
    """What is wrong, a line each; none: nothing. Reads all of the store, a page at a time.

    It may be served meanwhile. Raises WebchatError(UNAVAILABLE).
    """
    log = _LogSoFar()
    bounded: list[_Bounded] = []
    async for record in store.transfer.records():
        if isinstance(record, EntryRecord):
            if record.entry.conv != log.conv:
                for finding in await _at_its_end(store, log):
                    yield finding
                log = _LogSoFar(record.entry.conv)
            for finding in log.read_on(record):
                yield finding
        elif isinstance(record, _Bounded):
            bounded.append(record)
        if len(bounded) == _PAGE:
            for finding in await _within_their_logs(store, bounded):
                yield finding
            bounded.clear()
    for finding in (*await _at_its_end(store, log), *await _within_their_logs(store, bounded)):
        yield finding


class _LogSoFar:
    """One log as its entries come in."""

    def __init__(self, conv: ConvID = "") -> None:
        self.conv = conv
        self.head = NO_HEAD

    def read_on(self, record: EntryRecord) -> Iterator[Finding]:
        """What is wrong with the next entry."""
        entry, before = record.entry, self.head
        if entry.seq != before.last + 1:
            yield f"{self.conv}: Seq {entry.seq} follows {before.last}"
        messages = before.n + (entry.kind == MESSAGE)
        if entry.n != messages:
            yield f"{self.conv}: the entry at Seq {entry.seq} counts {entry.n}, not {messages}"
        if record.members_seq not in (entry.seq, before.members_seq):
            yield (
                f"{self.conv}: the entry at Seq {entry.seq} names {record.members_seq} as the last "
                f"membership entry, the one before it {before.members_seq}"
            )
        self.head = head_at(entry, record.members_seq)


async def _at_its_end(store: Store, log: _LogSoFar) -> list[Finding]:
    """Whether the head is that of the last entry, if nothing came since."""
    if not log.conv:
        return []
    head = (await store.log.heads([log.conv])).get(log.conv, NO_HEAD)
    if head.last > log.head.last or head == log.head:
        return []
    return [f"{log.conv}: the head says {_words(head)}, the last entry {_words(log.head)}"]


async def _within_their_logs(store: Store, records: list[_Bounded]) -> list[Finding]:
    """Whether spans and positions lie within their logs."""
    if not records:
        return []
    heads = await store.log.heads(list({_conv_of(record) for record in records}))
    return [
        f"{_conv_of(record)}: {wrong}, but the log ends at {last}"
        for record in records
        if (wrong := _beyond(record, last := heads.get(_conv_of(record), NO_HEAD).last))
    ]


def _conv_of(record: _Bounded) -> ConvID:
    return record.span.conv if isinstance(record, MemberRecord) else record.conv


def _beyond(record: Record, last: Seq) -> str:
    """What does not lie within a log up to `last`; "": all does."""
    if isinstance(record, MemberRecord):
        span = record.span
        end = last if span.until is None else span.until
        sound = 1 <= span.since <= end <= last
        return "" if sound else f"{span.uid} is a member from Seq {span.since} to {span.until}"
    if isinstance(record, PositionRecord):
        at = record.position
        sound = 0 <= at.displayed <= at.delivered <= last
        where = f"delivered {at.delivered}, displayed {at.displayed}"
        return "" if sound else f"{record.uid} stands at {where}"
    return ""


def _words(head: Head) -> str:
    return f"Seq {head.last}, N {head.n}, members as of {head.members_seq}"
