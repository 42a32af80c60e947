"""Invite links in a DynamoDB store whose answers get lost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from tests.contract.dynamodb_nodes import FaultyTable, Node, timed_out
from tests.contract.late_table import LateTable
from tests.contract.plain_table import PlainTable
from webchat.adapters.dynamodb import DynamoSettings
from webchat.adapters.dynamodb.links import DynamoInviteLinks
from webchat.adapters.dynamodb.table import Failed, Item
from webchat.adapters.memory import LoopClock
from webchat.errors import WebchatError
from webchat.model import InviteLink


@pytest.fixture
async def node() -> Node:
    """A node that knows a link for two people."""
    made = Node(FaultyTable(PlainTable()), DynamoSettings("nowhere", "none"), LoopClock())
    await made.links.add(b"1", InviteLink("l-1", "group_x", "ann", 2**53, 2), 50, 0)
    return made


def loses_one_answer(node: Node) -> Callable[[Item], Awaitable[None]]:
    async def lose(_: Item) -> None:
        node.faulty.after_put = None
        raise timed_out()

    return lose


async def uses_of(node: Node) -> int | None:
    found = await node.links.find(b"1")
    assert found is not None
    return found.uses


async def test_a_use_whose_write_timed_out_is_taken_once(node: Node) -> None:
    for left in (1, 0):
        node.faulty.after_put = loses_one_answer(node)
        assert await node.links.use("l-1", f"v-{left}")
        assert await uses_of(node) == left
    assert not await node.links.use("l-1", "v-2")


async def test_a_link_whose_maker_died_before_it_counted_is_not_one_of_the_group(
    node: Node,
) -> None:
    dying = Node(FaultyTable(node.faulty.table), DynamoSettings("nowhere", "none"), LoopClock())

    async def die_before_it_counts(item: Item) -> None:
        if "ids" in item:
            dying.faulty.is_gone.set()

    dying.faulty.before_put = die_before_it_counts
    with pytest.raises(WebchatError):
        await dying.links.add(b"2", InviteLink("l-2", "group_x", "ann", 2**53, 2), 50, 0)
    assert [link.id for link in await node.links.of_group("group_x", 0)] == ["l-1"]
    assert await node.links.add(b"3", InviteLink("l-3", "group_x", "ann", 2**53, 2), 2, 0)
    assert [link.id for link in await node.links.of_group("group_x", 0)] == ["l-1", "l-3"]


async def test_who_adds_a_further_link_reads_once(node: Node) -> None:
    node.faulty.reads.clear()
    assert await node.links.add(b"2", InviteLink("l-2", "group_x", "ann", 2**53, 2), 50, 0)
    assert node.faulty.reads == {"get": 1}


async def test_links_that_were_restored_count_for_who_adds_the_first_to_them() -> None:
    node = Node(FaultyTable(PlainTable()), DynamoSettings("nowhere", "none"), LoopClock())
    assert isinstance(node.links, DynamoInviteLinks)
    await node.links.restore(b"1", InviteLink("l-1", "group_x", "ann", 2**53, 2))
    assert not await node.links.add(b"2", InviteLink("l-2", "group_x", "ann", 2**53, 2), 1, 0)
    assert await node.links.add(b"3", InviteLink("l-3", "group_x", "ann", 2**53, 2), 2, 0)
    assert [link.id for link in await node.links.of_group("group_x", 0)] == ["l-1", "l-3"]


async def test_a_use_is_given_back_once(node: Node) -> None:
    await node.links.use("l-1", "v-1")
    node.faulty.after_put = loses_one_answer(node)
    await node.links.give_back("l-1", "v-1")
    assert await uses_of(node) == 2


async def test_a_link_whose_first_write_comes_late_is_as_used_as_it_was() -> None:
    table = LateTable(lambda item: "link" in item)
    node = Node(FaultyTable(table), DynamoSettings("nowhere", "none", pause_ms=1), LoopClock())
    assert await node.links.add(b"1", InviteLink("l-1", "group_x", "ann", 2**53, 1), 50, 0)
    assert await node.links.use("l-1", "v-1")
    await table.arrive()
    assert not await node.links.use("l-1", "v-2")


@pytest.mark.parametrize("written", range(4))
async def test_a_link_whose_end_is_not_all_written_is_seen_or_lets_nobody_in_and_can_be_ended(
    node: Node, written: int
) -> None:
    left = iter(range(written))

    async def fail_in_the_end(_: object) -> None:
        if next(left, None) is None:
            raise Failed("no", may_help=False)

    node.faulty.before_put = node.faulty.before_delete = fail_in_the_end
    with pytest.raises(WebchatError):
        await node.links.revoke("group_x", "l-1")
    node.faulty.before_put = node.faulty.before_delete = None
    is_seen = bool(await node.links.of_group("group_x", 0))
    assert is_seen or await node.links.find(b"1") is None
    # Without the last write nothing but a note is left, which goes when the link expires.
    assert await node.links.revoke("group_x", "l-1") == (written < 3)
    assert await node.links.find(b"1") is None
    assert not await node.links.of_group("group_x", 0)
