"""Cursors: a device comes back and gets what lies after its place, once, in order, bounded."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.servers import Server
from tests.wire.people import Kind, Town, pair

KINDS: list[Kind] = ["node-websocket", "node-polling", "python-websocket"]


@pytest.fixture(scope="module")
def short_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """It sends ten entries of a conversation and twenty of a join."""
    with Server(
        tmp_path_factory.mktemp("short"), "--backlog-entries=10", "--join-entries=20"
    ) as server:
        yield server


@pytest.fixture
async def short_town(short_server: Server) -> AsyncIterator[Town]:
    town = Town(short_server, open_mode=False)
    yield town
    await town.close()


async def told(town: Town, a: str, b: str, count: int) -> None:
    """Have `a` tell `b` the numbers up to `count`."""
    alice = await town.device(a)
    for number in range(1, count + 1):
        await alice.tell(b, str(number))
    await town.leave(alice)


@pytest.mark.parametrize("kind", KINDS)
async def test_only_what_lies_after_the_cursor_comes(town: Town, kind: Kind) -> None:
    a, b = town.person("a"), town.person("b")
    await told(town, a, b, 10)
    bob = await town.device(b, kind, cursors={pair(a, b): 7})
    assert [(await bob.hear("message"))["Seq"] for _ in range(3)] == [8, 9, 10]
    alice = await town.device(a)
    await alice.tell(b, "live")
    assert (await bob.hear("message"))["Seq"] == 11


async def test_a_cursor_at_the_end_brings_nothing_old(town: Town) -> None:
    a, b = town.person("a"), town.person("b")
    await told(town, a, b, 5)
    bob = await town.device(b, cursors={pair(a, b): 5})
    alice = await town.device(a, cursors={pair(a, b): 5})
    await alice.tell(b, "live")
    assert (await bob.hear("message"))["Seq"] == 6


async def test_a_cursor_beyond_the_end_is_set_to_the_last_by_skip(town: Town) -> None:
    a, b = town.person("a"), town.person("b")
    await told(town, a, b, 5)
    bob = await town.device(b, cursors={pair(a, b): 50})
    skip = await bob.hear("skip", ConvID=pair(a, b))
    assert (skip["Seq"], skip["N"]) == (5, 5)


async def test_a_sync_asks_for_entries_again(town: Town) -> None:
    a, b = town.person("a"), town.person("b")
    await told(town, a, b, 6)
    bob = await town.device(b, cursors={pair(a, b): 6})
    assert (await bob.sync(cursors={pair(a, b): 3}))["ok"] is True
    assert [(await bob.hear("message"))["Seq"] for _ in range(3)] == [4, 5, 6]


async def test_cursors_of_logs_one_has_no_part_in_are_passed_over(town: Town) -> None:
    a, b, c = town.person("a"), town.person("b"), town.person("c")
    await told(town, a, b, 2)
    cursors = {pair(a, b): 0, f"user:{a}": 0, "dm:nobody:none": 4, "group_none": 0}
    carol = await town.device(c, cursors=cursors)
    await told(town, a, c, 1)
    assert (await carol.hear("message"))["ConvID"] == pair(a, c)
    assert carol.unheard("message", "skip") == []


async def test_who_is_far_behind_is_skipped_forward_and_rest_has_the_gap(short_town: Town) -> None:
    a, b = short_town.person("a"), short_town.person("b")
    await told(short_town, a, b, 25)
    bob = await short_town.device(b)
    conv = pair(a, b)
    skip = await bob.hear("skip", ConvID=conv)
    assert (skip["Seq"], skip["N"], skip["more"]) == (15, 15, True)
    assert [(await bob.hear("message"))["Seq"] for _ in range(10)] == list(range(16, 26))
    page = short_town.rest(b, "GET", f"/conversations/{conv}/events?before=16").json()
    assert [entry["Seq"] for entry in page["items"]] == list(range(1, 16))


async def test_a_join_is_bounded_and_says_so_by_skips(short_town: Town) -> None:
    b = short_town.person("b")
    others = [short_town.person("a") for _ in range(4)]
    for a in others:
        await told(short_town, a, b, 8)
    bob = await short_town.device(b)
    skip = await bob.hear("skip", Seq=8)
    assert skip["ConvID"] in {pair(others[0], b), pair(others[1], b)}
    await told(short_town, others[-1], b, 1)
    newest = pair(others[-1], b)
    sequence = [await bob.hear("message", ConvID=newest) for _ in range(9)]
    assert [entry["Seq"] for entry in sequence] == list(range(1, 10))


async def test_further_cursors_follow_by_sync_and_what_is_not_named_waits(town: Town) -> None:
    a, b, c = town.person("a"), town.person("b"), town.person("c")
    await told(town, a, b, 4)
    await told(town, c, b, 4)
    bob = await town.device(b, cursors={pair(a, b): 2}, more=True)
    assert [(await bob.hear("message"))["Seq"] for _ in range(2)] == [3, 4]
    assert bob.unheard("message") == []
    await bob.sync(cursors={pair(b, c): 3})
    assert (await bob.hear("message"))["ConvID"] == pair(b, c)
    assert bob.unheard("message") == []


async def test_the_last_of_more_may_be_named_by_time(tmp_path: Path) -> None:
    with Server(tmp_path, "--sync-more-timeout-s=1") as server:
        town = Town(server, open_mode=False)
        a, b = town.person("a"), town.person("b")
        await told(town, a, b, 2)
        bob = await town.device(b, more=True)
        assert [(await bob.hear("message"))["Seq"] for _ in range(2)] == [1, 2]
        await town.close()


async def test_an_emit_to_a_conversation_that_waits_is_handled_at_once(town: Town) -> None:
    a, b = town.person("a"), town.person("b")
    await told(town, a, b, 2)
    alice = await town.device(a, cursors={pair(a, b): 2})
    bob = await town.device(b, more=True)
    await bob.wire.emit(
        "chat", {"EvtType": "message", "From": b, "To": a, "MsgID": "w", "Body": "early"}
    )
    assert (await alice.hear("message"))["Body"] == "early"
    await bob.sync(cursors={})
    assert [(await bob.hear("message"))["Seq"] for _ in range(3)] == [1, 2, 3]


async def test_a_second_join_acts_as_a_sync(town: Town) -> None:
    a, b = town.person("a"), town.person("b")
    await told(town, a, b, 3)
    bob = await town.device(b, cursors={pair(a, b): 3})
    again = await bob.join({"device": "d", "cursors": {pair(a, b): 2}})
    assert again["ok"] is True
    assert (await bob.hear("message"))["Seq"] == 3


async def test_the_user_log_is_resumed_like_any_other(town: Town) -> None:
    a, b = town.person("a"), town.person("b")
    await told(town, a, b, 1)
    bob = await town.device(b, cursors={f"user:{b}": 0})
    assert (await bob.hear("conversation"))["Seq"] == 1


async def test_without_a_cursor_the_user_log_is_skipped_to_its_end(town: Town) -> None:
    a, b = town.person("a"), town.person("b")
    await told(town, a, b, 1)
    bob = await town.device(b)
    skip = await bob.hear("skip", ConvID=f"user:{b}")
    assert skip["Seq"] == 1
    assert "N" not in skip
    assert bob.unheard("conversation") == []
