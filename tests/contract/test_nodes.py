"""The contract of `ports/nodes.py`: who shares the store, and the key they sign with."""

from __future__ import annotations

import asyncio
import secrets
from typing import Final

import msgspec

from tests.contract.conftest import NO_LOGS
from webchat.ports.nodes import NodeRow
from webchat.ports.store import Store

pytestmark = NO_LOGS

ROW: Final = NodeRow(
    id="n1",
    incarnation="a",
    url="http://10.0.0.1:4000",
    roles=("chat", "profile"),
    version="1.2.3",
    beat=1,
    now_ms=1_750_000_000_000,
)


def row(node_id: str, **more: object) -> NodeRow:
    return msgspec.structs.replace(ROW, id=node_id, **more)


async def test_a_store_without_nodes_has_no_rows(store: Store) -> None:
    assert list(await store.nodes.all()) == []


async def test_rows_come_back_whole_and_by_id(store: Store) -> None:
    rows = [row("n1"), row("n2", url="http://[::1]:4001", roles=()), row("nodé 3", beat=2**53)]
    for each in reversed(rows):
        assert await store.nodes.put(each)
    assert list(await store.nodes.all()) == rows


async def test_a_node_renews_its_own_row(store: Store) -> None:
    await store.nodes.put(ROW)
    renewed = row("n1", beat=2, now_ms=ROW.now_ms - 5, url="http://10.0.0.2:4000")
    assert await store.nodes.put(renewed)
    assert list(await store.nodes.all()) == [renewed]


async def test_the_row_of_another_incarnation_is_not_overwritten(store: Store) -> None:
    await store.nodes.put(ROW)
    assert not await store.nodes.put(row("n1", incarnation="b", beat=9))
    assert list(await store.nodes.all()) == [ROW]


async def test_of_two_that_take_one_id_at_once_one_gets_it(store: Store) -> None:
    rivals = [row("n1", incarnation=f"i{number}") for number in range(5)]
    won = await asyncio.gather(*map(store.nodes.put, rivals))
    assert sorted(won) == [False, False, False, False, True]
    assert list(await store.nodes.all()) == [rivals[won.index(True)]]


async def test_a_row_goes_with_its_own_incarnation_only(store: Store) -> None:
    await store.nodes.put(ROW)
    await store.nodes.put(row("n2"))
    await store.nodes.remove("n1", "b")
    await store.nodes.remove("n3", "a")
    assert list(await store.nodes.all()) == [ROW, row("n2")]
    await store.nodes.remove("n1", "a")
    await store.nodes.remove("n1", "a")
    assert list(await store.nodes.all()) == [row("n2")]


async def test_an_id_can_be_taken_again_once_its_row_is_gone(store: Store) -> None:
    await store.nodes.put(ROW)
    await store.nodes.remove("n1", "a")
    assert await store.nodes.put(row("n1", incarnation="b"))
    assert list(await store.nodes.all()) == [row("n1", incarnation="b")]


async def test_the_shared_key_is_made_once(store: Store) -> None:
    first = secrets.token_bytes(32)
    assert list(await store.nodes.shared_keys(first)) == [first]
    assert list(await store.nodes.shared_keys(secrets.token_bytes(32))) == [first]


async def test_all_who_ask_for_the_key_at_once_get_the_same(store: Store) -> None:
    offered = [secrets.token_bytes(32) for _ in range(5)]
    agreed = [list(keys) for keys in await asyncio.gather(*map(store.nodes.shared_keys, offered))]
    assert agreed == [agreed[0]] * 5
    assert agreed[0][0] in offered


async def test_keys_that_are_saved_take_the_place_of_those_before_in_their_order(
    store: Store,
) -> None:
    first, second, third = (secrets.token_bytes(32) for _ in range(3))
    await store.nodes.shared_keys(first)
    for keys in ([first, second, third], [third, first], [second]):
        await store.nodes.save_keys(keys)
        assert list(await store.nodes.shared_keys(b"another")) == keys
