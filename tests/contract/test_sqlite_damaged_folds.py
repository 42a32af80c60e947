"""An SQLite store whose journal cannot be folded, as a page that this would write is damaged."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from tests.contract.asking import create, message, move, send
from tests.contract.damaged import READERS, come_to_rest, damage_served, said
from tests.memory import ManualClock
from webchat.adapters.sqlite import SqliteSettings, SqliteStore, check, damage
from webchat.errors import Code, WebchatError
from webchat.model import Position
from webchat.ports.log import Append
from webchat.ports.positions import Move

SETTINGS: Final = SqliteSettings(journal_entries=100, journal_keys=100, fold_interval_ms=10)
GROUPS: Final = [f"group_{number}" for number in range(300)]
NOT_FOLDED: Final = "the journal cannot be folded: database disk image is malformed"
DEADLINE_S: Final = 20


@pytest.fixture
async def store(path: Path, clock: ManualClock) -> AsyncIterator[SqliteStore]:
    """Many groups and many readers of one, all of which the tables have."""
    made = SqliteStore(path, SETTINGS, clock)
    await made.open("secured")
    await asyncio.gather(*(send(made, create(group, "ann")) for group in GROUPS))
    assert await codes(*(say(made, f"first{number}") for number in range(3))) == {None: 900}
    await move(made, *(Move("group_0", uid, 1, 0) for uid in READERS))
    await come_to_rest(made)
    yield made
    await made.close()


def say(store: SqliteStore, msg_id: str) -> list[asyncio.Future[Any]]:
    """A message to each of the groups."""
    return [send(store, Append(group, (message("ann", msg_id),))) for group in GROUPS]


async def codes(*asked: list[asyncio.Future[Any]]) -> dict[Code | None, int]:
    """How many had which outcome."""
    futures = [each for some in asked for each in some]
    outcomes = await asyncio.gather(*futures, return_exceptions=True)
    found = [each.code if isinstance(each, WebchatError) else None for each in outcomes]
    return {code: found.count(code) for code in found}


def count_transactions(store: SqliteStore) -> Callable[[], int]:
    begun: list[str] = []
    store._writer._db.set_trace_callback(
        lambda statement: begun.append(statement) if statement.startswith("BEGIN") else None
    )
    return lambda: len(begun)


def rows_of(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608


@pytest.mark.parametrize(
    ("table", "mended_early"),
    [("entry_key", False), ("entry_place", False), ("entry_place", True)],
)
async def test_a_page_that_cannot_be_folded_into_refuses_no_write(
    store: SqliteStore,
    path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    *,
    table: str,
    mended_early: bool,
) -> None:
    """Also after a start, and what it did not find the place of is not lost."""
    mend = damage_served(store, path, table)
    count = count_transactions(store)
    for number in range(3):
        assert await codes(say(store, f"second{number}")) == {None: 300}
    assert count() < 20
    assert said(caplog) == [NOT_FOLDED]
    assert not await store.trouble()
    await store.close()

    with monkeypatch.context() as patch:
        patch.setattr(damage, "AGAIN_S", 0.0)
        await store.open("secured")
    if mended_early:
        mend()
    outcomes = await codes(say(store, "third"))
    assert 200 < outcomes[None] < 300
    assert not store._writer.is_failing
    await come_to_rest(store)
    await store.close()

    mend()
    await store.open("secured")
    heads = await store.log.heads(GROUPS)
    assert sum(head.last for head in heads.values()) == 300 * 7 + outcomes[None]
    assert await codes(*(say(store, f"second{number}") for number in range(3))) == {None: 900}
    assert await store.log.heads(GROUPS) == heads
    await come_to_rest(store)
    await store.close()
    assert rows_of(path, "journal") == 0
    assert check(path) == []
    await store.open("secured")


async def test_where_entries_cannot_be_added_to_the_table_it_serves_also_after_a_start(
    store: SqliteStore, path: Path
) -> None:
    mend = damage_served(store, path, "entry", last=True)
    assert await codes(say(store, "second")) == {None: 300}
    await store.close()

    await store.open("secured")
    outcomes = await codes(say(store, "third"), say(store, "fourth"))
    assert outcomes[None] > 400
    assert not store._writer.is_failing
    assert (await move(store, Move("group_0", "reader0", 2, 2)))[0].after == Position(2, 2, 1)
    await store.close()

    mend()
    await store.open("secured")
    heads = await store.log.heads(GROUPS)
    assert sum(head.last for head in heads.values()) == 300 * 5 + outcomes[None]
    await come_to_rest(store)
    await store.close()
    assert check(path) == []
    await store.open("secured")


async def test_positions_that_cannot_be_folded_are_kept_over_a_start(
    store: SqliteStore, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mend = damage_served(store, path, "position")
    moved = await move(store, *(Move("group_0", uid, 2, 2) for uid in READERS))
    assert {each.after for each in moved} == {Position(2, 2, 1)}
    assert await codes(say(store, "second")) == {None: 300}
    assert said(caplog) == [NOT_FOLDED]
    await store.close()

    await store.open("secured")
    assert said(caplog) == [NOT_FOLDED] * 2
    moved = await move(store, *(Move("group_0", uid, 3, 3) for uid in READERS))
    assert {(each.before, each.after) for each in moved} == {(Position(2, 2, 1), Position(3, 3, 2))}
    await store.close()

    mend()
    await store.open("secured")
    found = await store.positions.of_members("group_0", READERS)
    assert set(found.values()) == {Position(3, 3, 2)}
    await store.close()
    assert check(path) == []
    await store.open("secured")


@pytest.mark.parametrize("table", ["entry_key", "position"])
async def test_what_could_not_be_folded_is_tried_again(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    monkeypatch.setattr(damage, "AGAIN_S", 0.2)
    keys = rows_of(path, "entry_key")
    mend = damage_served(store, path, table)
    await move(store, *(Move("group_0", uid, 2, 2) for uid in READERS))
    assert await codes(say(store, "second")) == {None: 300}
    mend()
    async with asyncio.timeout(DEADLINE_S):
        while rows_of(path, "journal") or rows_of(path, "entry_key") < keys + 200:
            await move(store, Move("group_0", "ann", 1, 0))
            await asyncio.sleep(2 * SETTINGS.fold_interval_ms / 1000)
    await store.close()
    assert check(path) == []
    await store.open("secured")
