"""Reading members of a DynamoDB store where many have left, and while their rows are written."""

from __future__ import annotations

import asyncio

from tests.contract.asking import create
from tests.contract.dynamodb_nodes import FaultyTable, Node, dies_after_the_append
from tests.contract.plain_table import PlainTable
from tests.memory import ManualClock, settle
from webchat.adapters.dynamodb import DynamoSettings, keys
from webchat.adapters.dynamodb.table import Item
from webchat.model import Membership
from webchat.ports.transfer import MemberRecord

SETTINGS = DynamoSettings("nowhere", "none")
PEOPLE = [f"user-{number:04}" for number in range(40)]
MORE_TURNS_THAN_IT_TAKES = 100


async def test_a_short_page_behind_many_who_left_is_few_queries() -> None:
    node = Node(FaultyTable(PlainTable()), SETTINGS, ManualClock())
    left = [Membership("group_x", f"a-{number:04}", 1, 2, "") for number in range(5_000)]
    here = Membership("group_x", "zed", 1, None, "")
    await node.transfer.restore([MemberRecord(span) for span in (*left, here)])
    assert await node.members.page("group_x", "", 1) == [here]
    assert node.faulty.reads["query"] <= 20


async def test_rows_that_a_dead_node_left_are_written_once_whoever_reads_them() -> None:
    table = PlainTable()
    dead, alive = (Node(FaultyTable(table), SETTINGS, ManualClock()) for _ in range(2))
    await dies_after_the_append(dead, create("group_x", *PEOPLE))
    begun, goes_on = asyncio.Event(), asyncio.Event()

    async def hold_rows(item: Item) -> None:
        if str(item["sk"]).startswith(keys.MEMBER):
            begun.set()
            await goes_on.wait()

    alive.faulty.before_put = hold_rows
    readers = [asyncio.create_task(alive.members.count("group_x")) for _ in range(5)]
    await begun.wait()
    await settle(MORE_TURNS_THAN_IT_TAKES)
    readers[0].cancel()  # whoever waits for the same has no part in that
    await settle(MORE_TURNS_THAN_IT_TAKES)
    goes_on.set()
    assert await asyncio.gather(*readers[1:]) == [len(PEOPLE)] * 4
    assert await alive.members.count("group_x") == len(PEOPLE)
    assert alive.faulty.puts["M"] == len(PEOPLE)
    dead.faulty.is_gone.set()
    await dead.close()
    await alive.close()
