"""Pages of a DynamoDB table: of keys, in logs that were talked in for longer than keys are known,
and of reactions."""

from __future__ import annotations

import asyncio
from typing import Final

import pytest

from tests.contract.asking import create, message, react, send
from tests.contract.dynamodb_nodes import FaultyTable, Node
from tests.contract.plain_table import PlainTable
from tests.memory import ManualClock
from webchat.adapters.dynamodb import DynamoSettings
from webchat.adapters.dynamodb.pages import KeyPages, page_key
from webchat.adapters.dynamodb.reader import LogReader
from webchat.adapters.dynamodb.steady import SteadyTable
from webchat.adapters.dynamodb.table import ANY
from webchat.adapters.dynamodb.window import RUN_KEYS, Window
from webchat.model import pair_conv
from webchat.ports.log import Append

CONV: Final = pair_conv("ann", "bob")
SETTINGS: Final = DynamoSettings("nowhere", "none")
A_DAY_S: Final = SETTINGS.keys_kept_ms / 1000


def said(number: int) -> Append:
    return Append(CONV, (message("ann", f"m{number}"),))


async def test_a_page_made_on_demand_keeps_its_newer_keys_beside_those_of_the_day_before() -> None:
    table, clock = PlainTable(), ManualClock()

    def node() -> Node:
        return Node(FaultyTable(table), SETTINGS, clock)

    talking = node()
    await asyncio.gather(*[send(talking, said(n)) for n in range(RUN_KEYS // 2)])
    clock.advance(A_DAY_S + 1)
    await asyncio.gather(*[send(talking, said(n)) for n in range(RUN_KEYS // 2, RUN_KEYS + 100)])
    await talking.close()
    await table.delete(page_key(CONV, 0), ANY)
    assert (await send(node(), said(RUN_KEYS + 200))).fresh
    assert await table.get(page_key(CONV, 0)) is not None
    outcome = await send(node(), said(RUN_KEYS - 100))
    assert (outcome.entries[0].seq, outcome.fresh) == (RUN_KEYS - 99, False)


@pytest.mark.parametrize("page_items", [1, 2, 3])
async def test_reactions_are_read_in_pages_and_no_more_of_them_than_are_asked_for(
    page_items: int,
) -> None:
    table = FaultyTable(PlainTable(page_items))
    node = Node(table, SETTINGS, ManualClock())
    await send(node, create("group_x", "ann"))
    await send(node, Append("group_x", tuple(message("ann", f"m{n}") for n in range(3))))
    for seq in (2, 3, 4):
        for n in range(30):
            await send(node, react("group_x", f"u{n:02}", seq, "👍"))
    await send(node, react("group_x", "u00", 4, ""))
    table.reads.clear()
    assert await node.log.reactions("group_x", [2, 4], 2) == {
        2: {"u00": "👍", "u01": "👍"},
        4: {"u01": "👍", "u02": "👍"},
    }
    assert table.reads["query"] <= 6
    assert await node.log.reactions("group_x", [3], 1, since="u29") == {3: {"u29": "👍"}}
    await node.close()


async def test_who_alone_writes_to_a_log_keeps_no_keys_that_are_too_old_to_matter() -> None:
    clock = ManualClock()
    table = SteadyTable(PlainTable(), SETTINGS, clock)
    pages, window = KeyPages(table, LogReader(table), SETTINGS, clock), Window(CONV, 0)
    days, a_day = 5, 2 * RUN_KEYS + RUN_KEYS // 2
    for last in range(a_day, days * a_day + 1, a_day):
        for seq in range(window.until + 1, last + 1):
            window.learn(seq, "ann", f"m{seq}", clock.now_ms())
        await pages.write_pages(window, max(last - a_day, 1), last)
        clock.advance(A_DAY_S + 1)
    assert a_day <= len(window) < a_day + RUN_KEYS
    assert window.find("ann", "m1") is None
    assert window.find("ann", f"m{days * a_day}") == days * a_day
    assert len((await table.scan(100)).items) == days * a_day // RUN_KEYS


def test_keys_of_a_log_in_which_little_is_said_are_forgotten_as_well() -> None:
    clock, window = ManualClock(), Window(CONV, 0)
    for seq in range(1, 100):
        window.learn(seq, "ann", f"m{seq}", clock.now_ms())
        window.forget(clock.now_ms() - SETTINGS.keys_kept_ms)
        clock.advance(A_DAY_S / 10)
    assert len(window) < 30
    assert [window.find("ann", f"m{seq}") for seq in range(90, 100)] == list(range(90, 100))
