"""Accounts of a DynamoDB store that several nodes change, and whose table fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from tests.contract.dynamodb_nodes import FaultyTable, Node, timed_out
from tests.contract.plain_table import PlainTable
from webchat.adapters.dynamodb import DynamoSettings, keys
from webchat.adapters.dynamodb.table import Item
from webchat.adapters.memory import LoopClock
from webchat.model import Profile
from webchat.ports.accounts import Changed

ANN = Profile("ann", "Ann", "", True, "everybody", False)
SETTINGS = DynamoSettings("nowhere", "none", pause_ms=1)


@pytest.fixture
def table() -> PlainTable:
    return PlainTable()


@pytest.fixture
async def node(table: PlainTable) -> Node:
    """A node on a table with ann's account."""
    made = Node(FaultyTable(table), SETTINGS, LoopClock())
    await made.accounts.create(ANN, "old", 1)
    return made


@pytest.fixture
async def other(table: PlainTable) -> Node:
    """Another node on that table."""
    return Node(FaultyTable(table), SETTINGS, LoopClock())


def once(act: Callable[[], Awaitable[object]]) -> Callable[[Item], Awaitable[None]]:
    """A hook that acts when ann's account is written for the first time."""
    is_done = False

    async def hook(item: Item) -> None:
        nonlocal is_done
        if item["pk"] == keys.account("ann").pk and not is_done:
            is_done = True
            await act()

    return hook


async def test_a_change_that_another_node_overtook_undoes_nothing(node: Node, other: Node) -> None:
    node.faulty.before_put = once(
        lambda: other.accounts.change_profile("ann", {"disabled": True}, 2)
    )
    changed = await node.accounts.change_profile("ann", {"about": "about"}, 3)
    disabled = Profile("ann", "Ann", "", True, "everybody", True)
    expected = Profile("ann", "Ann", "about", True, "everybody", True)
    assert changed == Changed(disabled, expected)
    assert await other.accounts.profile("ann") == expected


async def test_who_was_given_another_name_meanwhile_is_found_by_it(node: Node, other: Node) -> None:
    node.faulty.before_put = once(lambda: other.accounts.change_profile("ann", {"name": "Bea"}, 2))
    await node.accounts.change_profile("ann", {"about": "about"}, 3)
    found = await other.accounts.search("bea", "", 9)
    assert found == [Profile("ann", "Bea", "about", True, "everybody", False)]
    assert [profile.uid for profile in await other.accounts.recent(9)] == ["ann"]


async def test_a_password_that_another_node_overtook_is_not_written(
    node: Node, other: Node
) -> None:
    node.faulty.before_put = once(lambda: other.accounts.save_password("ann", "the operator's"))
    assert not await node.accounts.save_password("ann", "the thief's", "old")
    assert await other.accounts.password_hash("ann") == "the operator's"


async def test_a_password_whose_write_timed_out_and_won_is_written(node: Node, other: Node) -> None:
    async def another_change() -> None:
        await other.accounts.change_profile("ann", {"name": "Anna"}, 2)
        raise timed_out()

    node.faulty.after_put = once(another_change)
    assert await node.accounts.save_password("ann", "new", "old")
    assert await other.accounts.password_hash("ann") == "new"


async def test_a_password_whose_write_timed_out_and_was_replaced_is_not_there(
    node: Node, other: Node
) -> None:
    async def another_password() -> None:
        await other.accounts.save_password("ann", "the operator's")
        raise timed_out()

    node.faulty.after_put = once(another_password)
    assert not await node.accounts.save_password("ann", "the thief's", "old")
    assert await other.accounts.password_hash("ann") == "the operator's"
