"""An SQLite store where the end of a log lies on a damaged page: that one alone is not followed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from tests.contract.asking import create, message, send
from tests.contract.damaged import come_to_rest, damage_end, forget_pages, said
from tests.memory import ManualClock
from webchat.adapters.sqlite import SqliteSettings, SqliteStore
from webchat.errors import Code, WebchatError
from webchat.model import ConvID, user_log
from webchat.ports.following import Activity
from webchat.ports.log import Append, Appended

LOST = "group_5"


@pytest.fixture(params=[20, 120], ids=["few", "many"])
def groups(request: pytest.FixtureRequest) -> list[ConvID]:
    """So many as the loop reads by itself, or more."""
    return [f"group_{number}" for number in range(request.param)]


@pytest.fixture
async def store(
    path: Path, clock: ManualClock, groups: Sequence[ConvID]
) -> AsyncIterator[SqliteStore]:
    """ann and bob are in all the groups; the tables have all that was said, a page a group."""
    made = SqliteStore(path, SqliteSettings(fold_interval_ms=10), clock)
    await made.open("secured")
    for group in groups:
        clock.advance(1)
        await send(made, create(group, "ann", "bob"))
        await say(made, group, "m1")
    await made.close()
    yield made
    await made.close()


def say(store: SqliteStore, group: ConvID, msg_id: str) -> asyncio.Future[Appended]:
    """A message that takes most of a page."""
    return send(store, Append(group, (message("ann", msg_id, "x" * 3_000),)))


async def listed(store: SqliteStore, page: int) -> list[ConvID]:
    """ann's conversations as her list has them, read in pages."""
    found: list[ConvID] = []
    before: Activity | None = None
    while seen := await store.following.newest("ann", before, page):
        found += [each.span.conv for each in seen]
        before = seen[-1].activity
    return found


async def test_who_is_in_a_log_that_cannot_be_read_follows_all_others(
    store: SqliteStore,
    path: Path,
    groups: Sequence[ConvID],
    caplog: pytest.LogCaptureFixture,
) -> None:
    damage_end(path, LOST)
    await store.open("secured")
    followed = await store.following.of("ann")
    others = [group for group in groups if group != LOST]
    assert sorted(span.conv for span in followed.memberships) == sorted(others)
    assert followed.heads == await store.log.heads([*others, user_log("ann")])
    assert followed.own.last == len(groups)
    assert followed.unreadable == {LOST}
    assert await listed(store, 7) == others[::-1]
    assert said(caplog) == ["the store cannot be read: database disk image is malformed"]
    with pytest.raises(WebchatError) as refusal:
        await store.log.heads([LOST, "group_1"])
    assert refusal.value.code is Code.UNAVAILABLE


async def test_whose_own_log_cannot_be_read_follows_all_others(
    store: SqliteStore, path: Path, groups: Sequence[ConvID]
) -> None:
    own = user_log("ann")
    damage_end(path, own)
    await store.open("secured")
    followed = await store.following.of("ann")
    assert own in followed.unreadable
    assert own not in followed.heads
    read = {span.conv for span in followed.memberships}
    assert len(read) > len(groups) / 2
    assert read | followed.unreadable == {*groups, own}
    assert set(await listed(store, 7)) == read


async def test_where_a_log_ends_is_known_from_what_came_since_the_page_was_damaged(
    store: SqliteStore, path: Path, clock: ManualClock, groups: Sequence[ConvID]
) -> None:
    await store.open("secured")
    await say(store, LOST, "m2")
    await come_to_rest(store)
    forget_pages(store)
    damage_end(path, LOST)
    clock.advance(1)
    await say(store, LOST, "m3")
    followed = await store.following.of("ann")
    assert (followed.heads[LOST].last, followed.unreadable) == (4, set())
    assert await store.log.heads([*groups, user_log("ann")]) == followed.heads
    assert (await listed(store, 7))[0] == LOST
    assert await store.log.read(LOST, 3, 1)
    with pytest.raises(WebchatError):
        await store.log.read(LOST, 2, 1)
