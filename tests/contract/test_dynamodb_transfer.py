"""What a DynamoDB store exports where its nodes have died, and how it takes in many records."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tests.contract.asking import named, refer, send, with_row
from tests.contract.dynamodb_nodes import FaultyTable, Node, dies_after_the_append
from tests.contract.plain_table import PlainTable
from tests.memory import ManualClock
from webchat.adapters.dynamodb import DynamoSettings
from webchat.adapters.dynamodb.table import Item, Marked
from webchat.model import Group, Membership, Position, Profile, Uid, user_log
from webchat.ports.transfer import (
    AccountRecord,
    EntryRecord,
    GroupRecord,
    MemberRecord,
    PositionRecord,
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


async def test_members_of_a_page_are_taken_in_together() -> None:
    node = node_on(PlainTable())
    page: list[Record] = []
    for number in range(200):
        uid = f"user-{number}"
        page += [
            MemberRecord(Membership("group_x", uid, 1, 2, "")),
            MemberRecord(Membership("group_x", uid, 3, None, "")),
            PositionRecord("group_x", uid, Position(3, 2, 1)),
        ]
    await node.transfer.restore(page)
    assert (node.faulty.puts + node.faulty.reads).total() <= 2
    await node.transfer.restore(page)
    assert [record async for record in node.transfer.records()] == sorted(page, key=_uid)
    assert await node.members.of_user("user-7") == [Membership("group_x", "user-7", 3, None, "")]


async def test_accounts_of_a_page_are_taken_in_side_by_side() -> None:
    node, both = node_on(PlainTable()), asyncio.Barrier(2)

    async def meet(item: Item) -> None:
        if item["sk"] == "A":
            await both.wait()

    node.faulty.before_put = meet
    async with asyncio.timeout(10):
        await node.transfer.restore([account("ann"), account("bob")])
    assert [profile.uid for profile in await node.accounts.recent(9)] == ["bob", "ann"]


async def test_accounts_that_differ_in_case_alone_are_taken_in_one_after_the_other() -> None:
    node, under_way = node_on(PlainTable()), 0

    async def is_alone(item: Item) -> None:
        nonlocal under_way
        if item["sk"] == "A":
            under_way += 1
            assert under_way == 1
            await asyncio.sleep(0)
            under_way -= 1

    node.faulty.before_put = is_alone
    await node.transfer.restore([account("ann"), account("Ann")])
    assert [profile.uid for profile in await node.accounts.page("", 9)] == ["Ann", "ann"]


def account(uid: str) -> AccountRecord:
    return AccountRecord(Profile(uid, uid, "", True, "everybody", False), "", 1)


def _uid(record: Record) -> str:
    return record.span.uid if isinstance(record, MemberRecord) else getattr(record, "uid", "")
