"""The sweep for what nodes left half done goes on, whatever it meets."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from tests.contract.asking import create
from tests.contract.dynamodb_nodes import FaultyTable, Node, dies_after_the_append
from tests.contract.plain_table import PlainTable
from tests.memory import ManualClock, settle
from webchat.adapters.dynamodb import DynamoSettings, keys
from webchat.adapters.dynamodb.marks import MarkSweep
from webchat.adapters.dynamodb.steady import SteadyTable
from webchat.adapters.dynamodb.table import Marked
from webchat.errors import Code, WebchatError
from webchat.model import ConvID, user_log


class Logs:
    """A table in which these logs have marks, of the time `at`."""

    def __init__(self, *convs: ConvID) -> None:
        self._convs = convs
        self.at = 1

    async def marked(self, shard: str, limit: int) -> list[Marked]:
        return [Marked(keys.head(conv), self.at) for conv in self._convs if shard == "0"]


async def test_marks_are_looked_for_again_after_one_that_could_not_be_finished(
    clock: ManualClock,
) -> None:
    asked: list[ConvID] = []

    async def finish(conv: ConvID, _: float) -> None:
        asked.append(conv)
        if len(asked) == 1:
            raise ValueError("of one log")

    settings = DynamoSettings("eu-west-1", "t", marks_every_ms=1_000, mark_age_ms=2_000)
    sweep = MarkSweep(cast(SteadyTable, Logs("group_x")), finish, settings, clock)
    sweep.start()
    for _ in range(4):
        clock.advance(1)
        await settle(100)
    assert asked == ["group_x"] * 2
    await sweep.stop()


@pytest.mark.parametrize("failure", [ValueError(), WebchatError(Code.UNAVAILABLE, "")])
async def test_a_log_that_can_never_be_finished_is_not_in_the_way_of_others(
    clock: ManualClock, failure: Exception
) -> None:
    finished: set[ConvID] = set()

    async def finish(conv: ConvID, _: float) -> None:
        if conv in {"group_a", "group_c"}:
            raise failure
        finished.add(conv)

    table = Logs("group_a", "group_b", "group_c", "group_d")
    settings = DynamoSettings("eu-west-1", "t", marks_every_ms=1_000, mark_age_ms=2_000)
    sweep = MarkSweep(cast(SteadyTable, table), finish, settings, clock)
    sweep.start()
    for _ in range(6):
        clock.advance(1)
        await settle(100)
    assert finished == {"group_b", "group_d"}
    await sweep.stop()


async def test_logs_that_can_never_be_finished_are_all_tried_and_what_was_new_is_told(
    clock: ManualClock,
) -> None:
    failing = {"group_a": WebchatError(Code.UNAVAILABLE, ""), "group_b": ValueError("of one log")}
    asked: list[ConvID] = []

    async def finish(conv: ConvID, _: float) -> None:
        asked.append(conv)
        if conv in failing:
            raise failing[conv]

    settings = DynamoSettings("eu-west-1", "t", mark_age_ms=0)
    table = Logs("group_a", "group_b", "group_c")
    sweep = MarkSweep(cast(SteadyTable, table), finish, settings, clock)
    for _ in range(2):
        with pytest.raises(ValueError, match="of one log"):
            await sweep.sweep()
    del failing["group_b"]
    with pytest.raises(WebchatError):
        await sweep.sweep()
    assert [asked.count(conv) for conv in ("group_a", "group_b", "group_c")] == [3, 3, 3]


async def test_a_node_that_stops_finishes_no_further_log(clock: ManualClock) -> None:
    begun, goes_on = asyncio.Event(), asyncio.Event()
    asked: list[ConvID] = []

    async def finish(conv: ConvID, _: float) -> None:
        asked.append(conv)
        begun.set()
        await goes_on.wait()

    settings = DynamoSettings("eu-west-1", "t", marks_every_ms=1_000, mark_age_ms=0)
    table = Logs("group_a", "group_b")
    sweep = MarkSweep(cast(SteadyTable, table), finish, settings, clock)
    sweep.start()
    clock.advance(1)
    await begun.wait()
    stopping = asyncio.create_task(sweep.stop())
    await settle(10)
    goes_on.set()
    await stopping
    assert asked == ["group_a"]


async def test_marks_of_nodes_that_live_are_left_to_them_however_busy_their_log_is(
    clock: ManualClock,
) -> None:
    asked: list[ConvID] = []

    async def finish(conv: ConvID, _: float) -> None:
        asked.append(conv)

    settings = DynamoSettings("eu-west-1", "t", mark_age_ms=2_000)
    table = Logs("group_a")
    sweep = MarkSweep(cast(SteadyTable, table), finish, settings, clock)
    for _ in range(5):
        table.at += 1
        await sweep.sweep()
        clock.advance(1)
    assert asked == []
    clock.advance(1)
    await sweep.sweep()
    assert asked == ["group_a"]


async def test_what_follows_from_a_long_list_is_left_to_its_writer_for_longer(
    clock: ManualClock,
) -> None:
    table = PlainTable()
    settings = DynamoSettings("nowhere", "none", follow_inline_bytes=100, mark_age_ms=2_000)
    dead, alive = (Node(FaultyTable(table), settings, clock) for _ in range(2))
    await dies_after_the_append(dead, create("group_x", *(f"user-{at}" for at in range(20))))
    told = []
    for _ in range(11):
        await alive.finish_left_behind()
        told.append(len(await alive.log.read(user_log("user-7"), 0, 9)))
        clock.advance(1)
    assert told == [0] * 10 + [1]
    dead.faulty.is_gone.set()
    await dead.close()
    await alive.close()
