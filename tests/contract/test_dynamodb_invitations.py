"""Invitations on two nodes of a DynamoDB store, which wait only after the entry that makes them."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from tests.contract.asking import send
from tests.contract.dynamodb_nodes import FaultyTable, Node
from tests.contract.plain_table import PlainTable
from webchat.adapters.dynamodb import DynamoSettings
from webchat.adapters.dynamodb.table import Item
from webchat.adapters.memory import LoopClock
from webchat.model import Invitation
from webchat.ports.log import invite


async def test_who_is_asked_by_an_entry_that_others_see_is_asked_though_its_node_died() -> None:
    table = PlainTable()
    settings = DynamoSettings("nowhere", "none")
    here, there = [Node(FaultyTable(table), settings, LoopClock()) for _ in range(2)]
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
