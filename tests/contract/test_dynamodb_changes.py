"""Changes on two nodes of a DynamoDB store, where they reach an entry only after their own."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from tests.contract.asking import changing, create, message, send
from tests.contract.dynamodb_nodes import FaultyTable, Node
from tests.contract.plain_table import PlainTable
from webchat.adapters.dynamodb import DynamoSettings
from webchat.adapters.dynamodb.table import Item
from webchat.adapters.memory import LoopClock
from webchat.errors import MembersChanged
from webchat.ports.log import Append, Change

GROUP = "group_x"
SETTINGS = DynamoSettings(
    "nowhere", "none", inline_bytes=200, kept_inline_bytes=100, follow_inline_bytes=50
)


@pytest.fixture
async def nodes() -> tuple[Node, Node]:
    """Two nodes on one table, in which the message at 2 is in a batch."""
    table = PlainTable()
    here, there = [Node(FaultyTable(table), SETTINGS, LoopClock()) for _ in range(2)]
    await send(here, create(GROUP, "ann", "bob"))
    for number in range(9):
        await send(here, Append(GROUP, (message("ann", f"m{number}", "x" * 60),)))
    return here, there


def change(kind: str) -> Append:
    """What was decided on before any other change of the message at 2."""
    return changing(GROUP, "ann", Change(kind, 2, "ann", "new", as_of=0))  # type: ignore[arg-type]


async def test_a_change_that_a_dead_node_left_undone_is_seen_in_its_mark(
    nodes: tuple[Node, Node],
) -> None:
    here, there = nodes

    at_the_batch = asyncio.Event()

    async def die_before_the_batch(item: Item) -> None:
        if str(item["sk"]).startswith("B#"):
            at_the_batch.set()
            await here.faulty.die(item)

    here.faulty.before_put = die_before_the_batch
    left = send(here, change("delete"))
    await at_the_batch.wait()
    head = await there.log.heads([GROUP])
    assert head[GROUP].last == 11
    with pytest.raises(MembersChanged):
        await send(there, change("edit"))
    assert (await there.log.heads([GROUP])) == head
    here.faulty.is_gone.set()
    with suppress(Exception):
        await left


async def test_a_change_that_comes_between_is_seen_when_it_is_planned_anew(
    nodes: tuple[Node, Node],
) -> None:
    here, there = nodes
    await send(here, Append(GROUP, (message("ann", "known"),)))

    async def change_there(item: Item) -> None:
        if str(item["sk"]) == "H":
            here.faulty.before_put = None
            await send(there, change("delete"))

    here.faulty.before_put = change_there
    with pytest.raises(MembersChanged):
        await send(here, change("edit"))
    texts = [entry.envelope for entry in await there.log.read(GROUP, 0, 99)]
    assert not any(b"new" in text for text in texts[:11])
