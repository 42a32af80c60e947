"""What `check` finds through the ports: nothing in a sound store, else what is wrong and where."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

import pytest
from msgspec.structs import replace

from tests.contract.asking import create, depart, message, send
from tests.memory import ManualClock, MemoryStore
from webchat.model import Seq
from webchat.ports.log import Append, Log
from webchat.ports.transfer import EntryRecord, MemberRecord, PositionRecord, Record
from webchat.service.soundness import findings

GROUP = "group_a"
Damage = Callable[[Record], Sequence[Record]]


@dataclass
class Told:
    """A store that tells its records otherwise than they are."""

    store: MemoryStore
    damage: Damage

    @property
    def log(self) -> Log:
        return self.store.log

    @property
    def transfer(self) -> Told:
        return self

    async def records(self) -> AsyncIterator[Record]:
        async for record in self.store.transfer.records():
            for told in self.damage(record):
                yield told


@pytest.fixture
async def store() -> AsyncIterator[MemoryStore]:
    """A group in which something was said, and which somebody left."""
    made = MemoryStore(ManualClock())
    await made.open("secured")
    await send(made, create(GROUP, "alice", "bob", "carol"))
    await send(made, Append(GROUP, (message("alice", "m1"),), moves_sender=True))
    await send(made, depart(GROUP, "carol", 1))
    await send(made, Append(GROUP, (message("bob", "m2"),)))
    yield made
    await made.close()


async def found(store: MemoryStore, damage: Damage) -> list[str]:
    return [finding async for finding in findings(Told(store, damage))]  # type: ignore[arg-type]


def lost(at: Seq) -> Damage:
    """The entry at that place of the group's log is not there."""
    return lambda record: [] if is_at(record, at) else [record]


def is_at(record: Record, seq: Seq) -> bool:
    return isinstance(record, EntryRecord) and (record.entry.conv, record.entry.seq) == (GROUP, seq)


async def test_a_sound_store_has_no_findings(store: MemoryStore) -> None:
    assert await found(store, lambda record: [record]) == []


async def test_an_empty_store_has_no_findings() -> None:
    empty = MemoryStore(ManualClock())
    await empty.open("secured")
    assert await found(empty, lambda record: [record]) == []


async def test_a_gap_in_a_log_is_found(store: MemoryStore) -> None:
    assert f"{GROUP}: Seq 3 follows 1" in await found(store, lost(2))


async def test_a_log_that_ends_before_its_head_is_no_finding(store: MemoryStore) -> None:
    """It may have grown since it was read; what lies in between would show as a gap."""
    assert await found(store, lost(4)) == []


async def test_an_entry_that_comes_twice_is_found(store: MemoryStore) -> None:
    findings = await found(store, lambda record: [record, record] if is_at(record, 4) else [record])
    assert f"{GROUP}: Seq 4 follows 4" in findings


async def test_a_wrong_count_of_messages_is_found(store: MemoryStore) -> None:
    def damage(record: Record) -> Sequence[Record]:
        if isinstance(record, EntryRecord) and is_at(record, 4):
            return [replace(record, entry=replace(record.entry, n=7))]
        return [record]

    assert f"{GROUP}: the entry at Seq 4 counts 7, not 2" in await found(store, damage)


async def test_a_wrong_last_membership_entry_is_found(store: MemoryStore) -> None:
    def damage(record: Record) -> Sequence[Record]:
        if isinstance(record, EntryRecord) and is_at(record, 4):
            return [replace(record, members_seq=2)]
        return [record]

    findings = await found(store, damage)
    assert f"{GROUP}: the entry at Seq 4 names 2 as the last membership entry, " in findings[0]
    assert findings[1].startswith(f"{GROUP}: the head says Seq 4, N 2, members as of 3")


async def test_a_span_beyond_its_log_is_found(store: MemoryStore) -> None:
    def damage(record: Record) -> Sequence[Record]:
        if isinstance(record, MemberRecord) and record.span.uid == "carol":
            return [MemberRecord(replace(record.span, until=9))]
        return [record]

    expected = f"{GROUP}: carol is a member from Seq 1 to 9, but the log ends at 4"
    assert await found(store, damage) == [expected]


async def test_a_position_beyond_its_log_is_found(store: MemoryStore) -> None:
    def damage(record: Record) -> Sequence[Record]:
        if isinstance(record, PositionRecord) and record.uid == "alice":
            return [replace(record, position=replace(record.position, delivered=5))]
        return [record]

    expected = f"{GROUP}: alice stands at delivered 5, displayed 2, but the log ends at 4"
    assert await found(store, damage) == [expected]
