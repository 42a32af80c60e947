"""The sweep for what nodes left half done goes on, whatever it meets."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from tests.memory import ManualClock, settle
from webchat.adapters.dynamodb import DynamoSettings, keys
from webchat.adapters.dynamodb.marks import MarkSweep
from webchat.adapters.dynamodb.steady import SteadyTable
from webchat.adapters.dynamodb.table import Key
from webchat.errors import Code, WebchatError
from webchat.model import ConvID


class Marked:
    """A table in which these logs have marks."""

    def __init__(self, *convs: ConvID) -> None:
        self._convs = convs

    async def marked(self, shard: str, limit: int) -> list[Key]:
        return [keys.head(conv) for conv in self._convs] if shard == "0" else []


async def test_marks_are_looked_for_again_after_one_that_could_not_be_finished(
    clock: ManualClock,
) -> None:
    asked: list[ConvID] = []

    async def finish(conv: ConvID) -> None:
        asked.append(conv)
        if len(asked) == 1:
            raise ValueError("of one log")

    settings = DynamoSettings("eu-west-1", "t", marks_every_ms=1_000, mark_age_ms=2_000)
    sweep = MarkSweep(cast(SteadyTable, Marked("group_x")), finish, settings, clock)
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

    async def finish(conv: ConvID) -> None:
        if conv in {"group_a", "group_c"}:
            raise failure
        finished.add(conv)

    table = Marked("group_a", "group_b", "group_c", "group_d")
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

    async def finish(conv: ConvID) -> None:
        asked.append(conv)
        if conv in failing:
            raise failing[conv]

    settings = DynamoSettings("eu-west-1", "t", mark_age_ms=0)
    table = Marked("group_a", "group_b", "group_c")
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

    async def finish(conv: ConvID) -> None:
        asked.append(conv)
        begun.set()
        await goes_on.wait()

    settings = DynamoSettings("eu-west-1", "t", marks_every_ms=1_000, mark_age_ms=0)
    table = Marked("group_a", "group_b")
    sweep = MarkSweep(cast(SteadyTable, table), finish, settings, clock)
    sweep.start()
    clock.advance(1)
    await begun.wait()
    stopping = asyncio.create_task(sweep.stop())
    await settle(10)
    goes_on.set()
    await stopping
    assert asked == ["group_a"]
