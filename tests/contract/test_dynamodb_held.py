"""What tells, on DynamoDB, in which groups something of a user may be held, and what is held for a
group at once."""

from __future__ import annotations

import asyncio

import pytest

from tests.contract.asking import message
from tests.contract.dynamodb_nodes import FaultyTable, Node
from tests.contract.plain_table import PlainTable
from tests.memory import ManualClock
from webchat.adapters.dynamodb import DynamoSettings, keys
from webchat.adapters.dynamodb.table import Item, Key
from webchat.errors import Code, WebchatError
from webchat.ports.held import HeldLimits

SETTINGS = DynamoSettings("nowhere", "none")
LIMITS = HeldLimits(lifetime_ms=1_000)


@pytest.fixture
def node() -> Node:
    return Node(FaultyTable(PlainTable()), SETTINGS, ManualClock())


async def hold(node: Node, conv: str, at: int) -> None:
    await node.held.hold(conv, message("ann", str(at)), at, LIMITS)


async def held_at(node: Node, not_before: int) -> list[int]:
    return [held.at for held in await node.held.of_user("ann", not_before)]


async def test_groups_are_not_looked_through_for_what_has_expired(node: Node) -> None:
    for number in range(20):
        await hold(node, f"group_{number}", 5_000 + number)
    await node.held.drop([held.id for held in await node.held.of_user("ann", 0)])
    await hold(node, "group_3", 5_900)
    for queries in (2, 2):
        before = node.faulty.reads["query"]
        assert await held_at(node, 5_500) == [5_900]
        assert node.faulty.reads["query"] - before == queries
    assert len((await node.faulty.table.scan(1_000)).items) == 4  # its own three, and the counter


async def test_what_is_held_while_a_group_is_forgotten_is_found(node: Node) -> None:
    await hold(node, "group_x", 5_000)

    async def hold_more(_: Key) -> None:
        node.faulty.before_delete = None
        await hold(node, "group_x", 7_000)

    node.faulty.before_delete = hold_more
    await node.held.of_user("ann", 6_500)
    assert await held_at(node, 6_500) == [7_000]


async def test_what_is_held_by_a_clock_that_is_behind_hides_nothing(node: Node) -> None:
    await hold(node, "group_x", 5_500)
    await hold(node, "group_x", 5_000)
    assert await held_at(node, 5_200) == [5_500]


async def test_of_many_that_are_held_at_once_no_more_stay_than_a_group_takes() -> None:
    table = PlainTable()
    nodes = [Node(FaultyTable(table), SETTINGS, ManualClock()) for _ in range(6)]
    drafts = [message(f"user-{place}", "1", "x" * 90) for place in range(len(nodes))]
    limits = HeldLimits(bytes_per_group=3 * len(drafts[0].envelope))
    all_looked = asyncio.Barrier(len(nodes))

    async def wait_for_the_others(item: Item) -> None:
        if item["pk"] == keys.HELD:
            await all_looked.wait()

    for node in nodes:
        node.faulty.before_put = wait_for_the_others
    outcomes = await asyncio.gather(
        *[
            node.held.hold("group_x", draft, 5_000, limits)
            for node, draft in zip(nodes, drafts, strict=True)
        ],
        return_exceptions=True,
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, WebchatError)]
    assert {error.code for error in refused} == {Code.RATE_LIMITED}
    held = await nodes[0].held.of_group("group_x", 0)
    assert len(held) == len(nodes) - len(refused) <= 3
    items = (await table.scan(100)).items
    assert sum(item["pk"] == keys.HELD for item in items) == len(held)
