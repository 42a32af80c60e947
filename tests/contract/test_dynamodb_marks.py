"""The sweep for what nodes left half done goes on, whatever it meets."""

from __future__ import annotations

import asyncio
from typing import cast

from webchat.adapters.dynamodb import DynamoSettings, keys
from webchat.adapters.dynamodb.marks import MarkSweep
from webchat.adapters.dynamodb.steady import SteadyTable
from webchat.adapters.dynamodb.table import Key
from webchat.adapters.memory import ManualClock
from webchat.model import ConvID


class OneMark:
    """A table in which one log has a mark."""

    async def marked(self, shard: str, limit: int) -> list[Key]:
        return [keys.head("group_x")] if shard == "0" else []


async def test_marks_are_looked_for_again_after_one_that_could_not_be_finished(
    clock: ManualClock,
) -> None:
    asked: list[ConvID] = []

    async def finish(conv: ConvID) -> None:
        asked.append(conv)
        if len(asked) == 1:
            raise ValueError("of one log")

    settings = DynamoSettings("eu-west-1", "t", marks_every_ms=1_000, mark_age_ms=2_000)
    sweep = MarkSweep(cast(SteadyTable, OneMark()), finish, settings, clock)
    sweep.start()
    for _ in range(4):
        clock.advance(1)
        await _settle()
    assert asked == ["group_x"] * 2
    await sweep.stop()


async def _settle() -> None:
    for _ in range(100):
        await asyncio.sleep(0)
