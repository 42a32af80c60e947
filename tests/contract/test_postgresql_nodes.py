"""Several nodes on one PostgreSQL database: one order, one outcome, whichever of them is asked."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence

import pytest

from tests.contract.asking import create, message, move, refer, send, to_pair
from tests.engines.postgresql import shared_server
from tests.memory import ManualClock
from webchat.adapters.postgresql import PostgresSettings, PostgresStore
from webchat.errors import Code, MembersChanged, WebchatError
from webchat.model import Position, Profile, Seq, pair_conv, user_log
from webchat.ports.log import Append, Appended
from webchat.ports.positions import Move

GROUP = "group_x"


@pytest.fixture
async def nodes(clock: ManualClock) -> AsyncIterator[Sequence[PostgresStore]]:
    """Three stores on one database, as three processes would have them."""
    url = shared_server().new_database()
    stores = [PostgresStore(url, PostgresSettings(max_batch=7), clock) for _ in range(3)]
    await asyncio.gather(*[store.init() for store in stores])
    await asyncio.gather(*[store.open("secured") for store in stores])
    yield stores
    for store in stores:
        await store.close()


async def test_appends_of_all_nodes_make_one_log_without_gaps(
    nodes: Sequence[PostgresStore],
) -> None:
    asked = [
        send(store, Append(GROUP, (message(f"u{node}", str(number)),)))
        for number in range(50)
        for node, store in enumerate(nodes)
    ]
    outcomes = await asyncio.gather(*asked)
    entries = await nodes[0].log.read(GROUP, 0, 1_000)
    assert [entry.seq for entry in entries] == list(range(1, 151))
    assert sorted(outcome.entries[0].seq for outcome in outcomes) == list(range(1, 151))
    for node in range(3):
        of_node = [entry.msg_id for entry in entries if entry.sender == f"u{node}"]
        assert of_node == [str(number) for number in range(50)]
    assert await nodes[1].log.read(GROUP, 0, 1_000) == entries


async def test_a_key_asked_of_all_nodes_at_once_is_appended_once(
    nodes: Sequence[PostgresStore],
) -> None:
    for number in range(20):
        request = to_pair("ann", "bob", str(number))
        outcomes = await asyncio.gather(*[send(store, request) for store in nodes])
        assert [outcome.entries[0].seq for outcome in outcomes] == [number + 1] * 3
        assert sorted(outcome.fresh for outcome in outcomes) == [False, False, True]
    conv = pair_conv("ann", "bob")
    assert len(await nodes[0].log.read(conv, 0, 100)) == 20
    assert await nodes[0].members.count(conv) == 2
    assert len(await nodes[0].log.read(user_log("bob"), 0, 100)) == 1


async def test_a_group_that_all_nodes_make_at_once_is_made_by_one(
    nodes: Sequence[PostgresStore],
) -> None:
    asked = [send(store, create(GROUP, f"u{node}")) for node, store in enumerate(nodes)]
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    refused = [each.code for each in outcomes if isinstance(each, WebchatError)]
    assert refused == [Code.CONFLICT] * 2
    assert await nodes[0].members.count(GROUP) == 1


async def test_no_message_lands_behind_a_membership_that_it_was_not_decided_on(
    nodes: Sequence[PostgresStore],
) -> None:
    await send(nodes[0], create(GROUP, "ann"))
    as_of: dict[str, Seq] = {}
    for number in range(20):
        known = (await nodes[1].log.heads([GROUP]))[GROUP].members_seq
        asked: list[asyncio.Future[Appended]] = [send(nodes[0], refer(GROUP, "ann", f"u{number}"))]
        for store in nodes:
            msg_id = f"m{len(as_of)}"
            as_of[msg_id] = known
            request = Append(GROUP, (message("ann", msg_id),), members_as_of=known)
            asked.append(send(store, request))
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(each, Appended | MembersChanged) for each in outcomes)
    members_seq = 0
    for entry in await nodes[2].log.read(GROUP, 0, 1_000):
        if entry.kind == "message":
            assert members_seq <= as_of[entry.msg_id]
        else:
            members_seq = entry.seq
    assert await nodes[2].members.count(GROUP) == 21


async def test_nodes_that_write_to_the_same_logs_in_any_order_do_not_wait_for_each_other(
    nodes: Sequence[PostgresStore],
) -> None:
    chance = random.Random(7)
    people = [f"u{number}" for number in range(8)]
    asked: list[asyncio.Future[Appended]] = []
    for number in range(150):
        a, b = chance.sample(people, 2)
        asked.append(send(chance.choice(nodes), to_pair(a, b, f"p{number}")))
        if number % 10 == 0:
            group = create(f"group_{number}", *chance.sample(people, 4))
            asked.append(send(chance.choice(nodes), group))
    outcomes = await asyncio.gather(*asked)
    assert all(outcome.fresh for outcome in outcomes)
    for uid in people:
        entries = await nodes[0].log.read(user_log(uid), 0, 1_000)
        assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
        assert len(entries) == len(await nodes[0].members.of_user(uid))


async def test_positions_that_several_nodes_move_never_go_back(
    nodes: Sequence[PostgresStore],
) -> None:
    await send(nodes[0], create(GROUP, "ann", "bob"))
    for number in range(30):
        await send(nodes[0], Append(GROUP, (message("ann", str(number)),)))
    moves = [Move(GROUP, "bob", seq, seq - 1) for seq in range(2, 32)]
    random.Random(3).shuffle(moves)
    await asyncio.gather(*[move(nodes[at % 3], each) for at, each in enumerate(moves)])
    assert await nodes[0].positions.of_user("bob", [GROUP]) == {GROUP: Position(31, 30, 29)}


async def test_changes_of_an_account_on_all_nodes_at_once_all_hold(
    nodes: Sequence[PostgresStore],
) -> None:
    ann = Profile("ann", "Ann", "", True, "everybody", False)
    await nodes[0].accounts.create(ann, "old", 1)
    for number in range(20):
        fields: list[dict[str, object]] = [
            {"name": f"Ann {number}"},
            {"about": str(number)},
            {"disabled": not number % 2},
        ]
        asked = zip(nodes, fields, strict=True)
        await asyncio.gather(
            *[node.accounts.change_profile("ann", each, 2) for node, each in asked]
        )
        expected = Profile("ann", f"Ann {number}", str(number), True, "everybody", not number % 2)
        assert await nodes[0].accounts.profile("ann") == expected


async def test_of_new_passwords_on_all_nodes_at_once_one_is_written(
    nodes: Sequence[PostgresStore],
) -> None:
    await nodes[0].accounts.create(Profile("ann", "Ann", "", True, "everybody", False), "0", 1)
    for number in range(20):
        hashes = [f"{number + 1} of {at}" for at in range(3)]
        old = await nodes[0].accounts.password_hash("ann")
        asked = zip(nodes, hashes, strict=True)
        outcomes = await asyncio.gather(
            *[node.accounts.save_password("ann", each, old) for node, each in asked]
        )
        assert outcomes.count(True) == 1
        assert await nodes[1].accounts.password_hash("ann") == hashes[outcomes.index(True)]


async def test_of_tables_made_by_all_nodes_at_once_there_is_one_set(
    clock: ManualClock,
) -> None:
    url = shared_server().new_database()
    stores = [PostgresStore(url, PostgresSettings(), clock) for _ in range(4)]
    await asyncio.gather(*[store.init() for store in stores])
    await stores[0].init()
    await stores[3].open("open")
    assert not await stores[3].trouble()
    await stores[3].close()
