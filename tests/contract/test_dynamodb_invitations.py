"""Invitations on two nodes of a DynamoDB store, which wait only after the entry that makes them."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from tests.contract.asking import send
from tests.contract.dynamodb_nodes import FaultyTable, Node, timed_out
from tests.contract.plain_table import PlainTable
from webchat.adapters.dynamodb import DynamoSettings
from webchat.adapters.dynamodb.table import Item, Key
from webchat.adapters.memory import LoopClock
from webchat.model import Invitation
from webchat.ports.log import invite


def two_nodes() -> tuple[Node, Node]:
    """On one table."""
    table, settings = PlainTable(), DynamoSettings("nowhere", "none")
    here, there = [Node(FaultyTable(table), settings, LoopClock()) for _ in range(2)]
    return here, there


async def test_who_is_asked_by_an_entry_that_others_see_is_asked_though_its_node_died() -> None:
    here, there = two_nodes()
    at_the_rows = asyncio.Event()

    async def die_after_the_entry(item: Item) -> None:
        if str(item["sk"]) != "H":
            at_the_rows.set()
            await here.faulty.die(item)

    here.faulty.before_put = die_after_the_entry
    left = send(here, invite(Invitation("i-1", "group_x", "bob", "ann"), 0, 0))
    await at_the_rows.wait()
    assert (await there.log.heads(["user:bob"]))["user:bob"].last == 1
    assert await there.invitations.asked_among("group_x", ["ann", "bob"]) == {"bob"}
    here.faulty.is_gone.set()
    with suppress(Exception):
        await left


async def test_a_claim_is_not_passed_over_by_a_decline_whose_first_write_timed_out() -> None:
    here, there = two_nodes()
    first, second = (Invitation(id_, "group_x", "bob", "ann") for id_ in ("i-1", "i-2"))
    await send(here, invite(first, 0, None))
    assert await there.invitations.claim(first)

    async def lose_the_answer_while_another_is_asked(_: Item) -> None:
        here.faulty.after_put = None
        await send(there, invite(second, 0, None))
        raise timed_out()

    here.faulty.after_put = lose_the_answer_while_another_is_asked
    assert not await here.invitations.decline(first)
    assert {each.id for each in await here.invitations.of_user("bob", 9)} == {"i-1", "i-2"}
    assert await here.invitations.decline(first)


async def test_groups_whose_invitations_were_answered_are_looked_through_once() -> None:
    node = Node(FaultyTable(PlainTable()), DynamoSettings("nowhere", "none"), LoopClock())
    asked = [Invitation(f"i-{number}", f"group_{number}", "bob", "ann") for number in range(250)]
    for invitation in asked:
        await send(node, invite(invitation, 0, None))
    for invitation in asked[:-1]:
        assert await node.invitations.decline(invitation)
    for batches in (3, 1):
        node.faulty.reads.clear()
        assert [each.id for each in await node.invitations.of_user("bob", 9)] == [asked[-1].id]
        assert node.faulty.reads["get_many"] == batches


@pytest.mark.parametrize("written", range(4))
async def test_an_invitation_that_comes_while_the_answered_ones_are_forgotten_is_found(
    written: int,
) -> None:
    """After so many writes of the invitation its group is looked through and forgotten."""
    here, there = two_nodes()
    first, second = (Invitation(id_, "group_x", "bob", "ann") for id_ in ("i-1", "i-2"))
    await send(here, invite(first, 0, None))
    assert await here.invitations.decline(first)
    left = iter(range(written))
    looked = asyncio.Event()

    async def look_in_between(_: Item) -> None:
        if next(left, None) is None and not looked.is_set():
            looked.set()
            await there.invitations.of_user("bob", 9)

    here.faulty.before_put = look_in_between
    await send(here, invite(second, 0, None))
    await here.close()  # its mark goes behind the answer
    assert looked.is_set()
    assert [each.id for each in await there.invitations.of_user("bob", 9)] == ["i-2"]


async def test_an_invitation_that_comes_before_an_answered_one_is_forgotten_is_found() -> None:
    here, there = two_nodes()
    first, second = (Invitation(id_, "group_x", "bob", "ann") for id_ in ("i-1", "i-2"))
    await send(here, invite(first, 0, None))
    assert await here.invitations.decline(first)

    async def ask_again(_: Key) -> None:
        there.faulty.before_delete = None
        await send(here, invite(second, 0, None))

    there.faulty.before_delete = ask_again
    assert await there.invitations.of_user("bob", 9) == []
    assert [each.id for each in await there.invitations.of_user("bob", 9)] == ["i-2"]
