"""History: what its reader may see of a log, page by page."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from tests.service.world import World, code_of
from webchat.errors import Code
from webchat.model import Entry, Group, Seq
from webchat.service.pages import MAX_LIMIT, Page

GROUP = "group_team"
PAIR = "dm:ann:ben"


def seqs(entries: Sequence[Entry]) -> list[int]:
    return [entry.seq for entry in entries]


def texts_of(message: Entry) -> tuple[str, int]:
    """Its text, and which entry edited it."""
    said = json.loads(message.envelope)
    return said["Body"], said["Edited"]


async def test_without_a_place_the_newest_come_ascending(world: World) -> None:
    for _ in range(5):
        await world.say("ann", "ben")
    page = await world.history.before("ann", PAIR, None, 3)
    assert (seqs(page.items), page.next) == ([3, 4, 5], 3)


async def test_a_page_of_long_entries_is_shorter_and_says_how_to_go_on(world: World) -> None:
    for _ in range(5):
        await world.say("ann", "ben", "x" * 300_000)
    page = await world.history.before("ann", PAIR, None, 50)
    assert (seqs(page.items), page.next) == ([3, 4, 5], 3)
    page = await world.history.before("ann", PAIR, page.next, 50)
    assert (seqs(page.items), page.next) == ([1, 2], None)
    page = await world.history.after("ann", PAIR, 0, 50)
    assert (seqs(page.items), page.next) == ([1, 2, 3], 3)
    page = await world.history.after("ann", PAIR, 3, 50)
    assert (seqs(page.items), page.next) == ([4, 5], None)


async def test_an_entry_that_is_a_page_by_itself_comes_alone(world: World) -> None:
    for _ in range(2):
        await world.say("ann", "ben", "x" * 2_000_000)
    page = await world.history.after("ann", PAIR, 0, 50)
    assert (seqs(page.items), page.next) == ([1], 1)


async def test_before_gives_the_newest_that_match_and_ends_at_the_start(world: World) -> None:
    for _ in range(5):
        await world.say("ann", "ben")
    page = await world.history.before("ann", PAIR, 3, 3)
    assert (seqs(page.items), page.next) == ([1, 2], None)


async def test_after_gives_the_oldest_that_match_and_ends_at_the_end(world: World) -> None:
    for _ in range(5):
        await world.say("ann", "ben")
    page = await world.history.after("ann", PAIR, 1, 3)
    assert (seqs(page.items), page.next) == ([2, 3, 4], 4)
    page = await world.history.after("ann", PAIR, 4, 3)
    assert (seqs(page.items), page.next) == ([5], None)


@pytest.mark.parametrize("before", [0, 1])
async def test_nothing_lies_before_the_first(world: World, before: int) -> None:
    await world.say("ann", "ben")
    page = await world.history.before("ann", PAIR, before, 50)
    assert (page.items, page.next) == ([], None)


async def test_nothing_lies_after_the_last(world: World) -> None:
    await world.say("ann", "ben")
    for after in (1, 2, 2**53):
        page = await world.history.after("ann", PAIR, after, 50)
        assert (page.items, page.next) == ([], None)


@pytest.mark.parametrize("seq", [-1, 2**53 + 1, 2**63, 10**30])
async def test_what_can_be_no_seq_is_refused(world: World, seq: int) -> None:
    await world.say("ann", "ben")
    assert await code_of(world.history.after("ann", PAIR, seq, 50)) is Code.BAD_REQUEST
    assert await code_of(world.history.before("ann", PAIR, seq, 50)) is Code.BAD_REQUEST
    of_entry = world.readers.of_entry("ann", PAIR, seq, "", 50)
    assert await code_of(of_entry) is Code.BAD_REQUEST


async def test_a_limit_over_the_most_counts_as_the_most_and_below_one_is_refused(
    world: World,
) -> None:
    for _ in range(MAX_LIMIT + 5):
        await world.say("ann", "ben")
    page = await world.history.after("ann", PAIR, 0, 10**9)
    assert (len(page.items), page.next) == (MAX_LIMIT, MAX_LIMIT)
    for limit in (0, -1):
        assert await code_of(world.history.after("ann", PAIR, 0, limit)) is Code.BAD_REQUEST


async def test_a_member_sees_from_its_own_entry_to_its_own_depart_twice(world: World) -> None:
    await world.group(GROUP, "ann")  # 1
    await world.write(GROUP, "ann")  # 2
    await world.join(GROUP, "ben")  # 3
    await world.write(GROUP, "ann")  # 4
    await world.depart(GROUP, "ben")  # 5
    await world.write(GROUP, "ann")  # 6
    await world.join(GROUP, "ben")  # 7
    await world.write(GROUP, "ann")  # 8
    await world.depart(GROUP, "ben")  # 9
    await world.write(GROUP, "ann")  # 10
    seen = [3, 4, 5, 7, 8, 9]
    assert seqs((await world.history.after("ben", GROUP, 0, 50)).items) == seen
    assert seqs((await world.history.before("ben", GROUP, None, 50)).items) == seen


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6, 7])
async def test_pages_walk_both_ways_over_the_gap_between_two_spans(
    world: World, limit: int
) -> None:
    await world.group(GROUP, "ann")
    for _ in range(2):
        await world.join(GROUP, "ben")
        await world.write(GROUP, "ann")
        await world.depart(GROUP, "ben")
        await world.write(GROUP, "ann")
    forth, after = list[int](), 0
    while True:
        page = await world.history.after("ben", GROUP, after, limit)
        forth += seqs(page.items)
        if page.next is None:
            break
        after = page.next
    back, before = list[int](), None
    while True:
        page = await world.history.before("ben", GROUP, before, limit)
        back = seqs(page.items) + back
        before = page.next
        if before is None:
            break
    assert forth == back == [2, 3, 4, 6, 7, 8]


@pytest.mark.parametrize("place", ["after", "before", "of all"])
async def test_no_time_in_a_group_is_read_that_lies_elsewhere(
    world: World, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    await world.group(GROUP, "ann")
    for _ in range(20):
        await world.join(GROUP, "ben")
        await world.write(GROUP, "ann")
        await world.depart(GROUP, "ben")
    asked = list[int]()

    def counted(read: Callable[..., Awaitable[Sequence[Entry]]]) -> Any:
        async def reading(conv: str, at: int | None, limit: int) -> Sequence[Entry]:
            asked.append(limit)
            return await read(conv, at, limit)

        return reading

    log = world.store.log
    monkeypatch.setattr(log, "read", counted(log.read))
    monkeypatch.setattr(log, "read_before", counted(log.read_before))
    if place == "after":
        page = await world.history.after("ben", GROUP, 31, 5)
        assert seqs(page.items) == [32, 33, 34, 35, 36]
    else:
        page = await world.history.before("ben", GROUP, 32 if place == "before" else None, 5)
        end = 32 if place == "before" else 62
        assert seqs(page.items) == [end - 5, end - 4, end - 3, end - 2, end - 1]
    assert asked == [3, 3]


async def test_the_text_of_an_edit_is_for_those_who_were_there_then(world: World) -> None:
    await world.group(GROUP, "ann", "ben")  # 1
    await world.write(GROUP, "ann", "early")  # 2
    await world.write(GROUP, "ann", "early, too")  # 3
    await world.edit(GROUP, "ann", 2, "seen by ben")  # 4
    await world.depart(GROUP, "ben")  # 5
    await world.edit(GROUP, "ann", 3, "after ben left")  # 6
    await world.write(GROUP, "ann")  # 7
    await world.join(GROUP, "ben")  # 8
    for page in (
        await world.history.before("ben", GROUP, 4, 2),
        await world.history.after("ben", GROUP, 1, 2),
    ):
        assert [texts_of(entry) for entry in page.items] == [("seen by ben", 4), ("", 6)]
    assert texts_of(await world.history.entry("ben", GROUP, 3)) == ("", 6)
    assert texts_of(await world.history.entry("ann", GROUP, 3)) == ("after ben left", 6)
    await world.regroup(Group(GROUP, "", history_open=True))
    assert texts_of(await world.history.entry("ben", GROUP, 3)) == ("after ben left", 6)


async def test_the_own_user_log_is_read_like_a_conversation(world: World) -> None:
    await world.group(GROUP, "ann", "ben")
    await world.depart(GROUP, "ben")
    page = await world.history.after("ben", "user:ben", 0, 50)
    assert [entry.kind for entry in page.items] == ["conversation", "conversation"]
    assert await code_of(world.history.after("ann", "user:ben", 0, 50)) is Code.NOT_A_MEMBER


def reactions_in(page: Page[Entry, Seq]) -> list[Any]:
    return [json.loads(entry.envelope).get("Reactions") for entry in page.items]


async def test_history_says_who_reacted_how(world: World) -> None:
    await world.say("ann", "ben", "one")
    await world.say("ann", "ben", "two")
    await world.react(PAIR, 1, {"ben": "👍"})
    for page in (
        await world.history.before("ben", PAIR, None, 50),
        await world.history.after("ben", PAIR, 0, 50),
    ):
        assert reactions_in(page) == [{"ben": "👍"}, None, None]


async def test_of_very_many_reactions_the_first_thousand_and_the_own_one_are_shown(
    world: World,
) -> None:
    await world.group(GROUP, "ann", "ben", "zoe")
    await world.write(GROUP, "ann")
    many = {f"m{number:04}": "👍" for number in range(1_200)}
    await world.react(GROUP, 2, many)
    first = dict(list(many.items())[:1_000])
    assert reactions_in(await world.history.after("zoe", GROUP, 1, 1)) == [first]
    await world.react(GROUP, 2, {"zoe": "🎉"})
    assert reactions_in(await world.history.after("zoe", GROUP, 1, 1)) == [{**first, "zoe": "🎉"}]
    assert reactions_in(await world.history.after("ben", GROUP, 1, 1)) == [first]


async def test_a_page_whose_entries_have_many_reactions_is_shorter(world: World) -> None:
    await world.group(GROUP, "ann")
    many = {f"{number:060}": "👍" * 9 for number in range(1_000)}  # some 100 KB
    for _ in range(2, 17):
        await world.write(GROUP, "ann")
    for seq in range(2, 17):
        await world.react(GROUP, seq, many)
    page = await world.history.after("ann", GROUP, 1, 15)
    assert (seqs(page.items), page.next) == (list(range(2, 12)), 11)
    assert reactions_in(page) == [many] * 10
    page = await world.history.after("ann", GROUP, 11, 5)
    assert (seqs(page.items), page.next) == (list(range(12, 17)), 16)
    page = await world.history.before("ann", GROUP, 17, 15)
    assert (seqs(page.items), page.next) == (list(range(7, 17)), 7)
