"""What a DynamoDB store exports where its nodes have died."""

from __future__ import annotations

from collections.abc import Sequence

from tests.contract.asking import named, refer, send, with_row
from tests.contract.dynamodb_nodes import FaultyTable, Node, dies_after_the_append
from tests.contract.plain_table import PlainTable
from tests.memory import ManualClock
from webchat.adapters.dynamodb import DynamoSettings
from webchat.adapters.dynamodb.table import Marked
from webchat.model import Group, Uid, user_log
from webchat.ports.transfer import (
    EntryRecord,
    GroupRecord,
    MemberRecord,
    Record,
)  # fmt: skip

SETTINGS = DynamoSettings("nowhere", "none")


class LateIndexTable(PlainTable):
    """A table whose index of marks has none of them yet."""

    async def marked(self, shard: str, limit: int) -> list[Marked]:
        """None."""
        return []


def node_on(table: PlainTable) -> Node:
    return Node(FaultyTable(table), SETTINGS, ManualClock())


async def left_by_a_dead_node(table: PlainTable) -> Sequence[Record]:
    """What another exports at once where a node has changed a group and died."""
    dead, alive = node_on(table), node_on(table)
    await send(alive, named(Group("group_x", "Old"), "ann"))
    brought = refer("group_x", "ann", "bob", "cid")
    await dies_after_the_append(dead, with_row(brought, Group("group_x", "New")))
    told = [record async for record in alive.transfer.records()]
    dead.faulty.is_gone.set()
    await dead.close()
    await alive.close()
    return told


def members_in(told: Sequence[Record]) -> set[Uid]:
    return {record.span.uid for record in told if isinstance(record, MemberRecord)}


async def test_an_export_has_all_that_follows_from_an_entry_whose_node_has_just_died() -> None:
    told = await left_by_a_dead_node(PlainTable(page_items=1))
    assert members_in(told) == {"ann", "bob", "cid"}
    logs = {record.entry.conv for record in told if isinstance(record, EntryRecord)}
    assert [record.group.name for record in told if isinstance(record, GroupRecord)] == ["New"]
    assert logs == {"group_x", *map(user_log, ("ann", "bob", "cid"))}


async def test_an_export_has_members_of_a_mark_that_it_finds_with_its_log_alone() -> None:
    told = await left_by_a_dead_node(LateIndexTable())
    assert members_in(told) == {"ann", "bob", "cid"}
