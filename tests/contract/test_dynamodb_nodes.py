"""Several nodes on one DynamoDB table: who wins, what a dead node leaves, what a timeout means."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from tests.contract.asking import create, depart, edit, message, move, react, refer, send, to_pair
from tests.contract.dynamodb_nodes import (
    Cluster,
    Node,
    cluster_of,
    dies_after_the_append,
    throttled,
    timed_out,
)  # fmt: skip
from tests.engines.dynamodb import shared_server
from tests.memory import ManualClock
from webchat.adapters.dynamodb import keys
from webchat.adapters.dynamodb.table import Item
from webchat.errors import Code, MembersChanged, WebchatError
from webchat.model import Draft, Membership, Position, pair_conv, user_log
from webchat.ports.log import Append, Appended
from webchat.ports.positions import Move

CONV = pair_conv("ann", "bob")
SMALL = {"inline_bytes": 600, "kept_inline_bytes": 200, "inline_senders": 1}


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    """Small bounds, so that entries are rolled out and positions flushed all the time."""
    async with cluster_of(shared_server(), **SMALL) as made:
        yield made


def one(msg_id: str, sender: str = "ann", conv: str = CONV) -> Append:
    return Append(conv, (message(sender, msg_id),))


async def everything(node: Node, conv: str = CONV) -> list[tuple[int, str]]:
    return [(entry.seq, entry.msg_id) for entry in await node.log.read(conv, 0, 10_000)]


async def test_nodes_that_append_at_once_leave_no_gap_and_nothing_twice(cluster: Cluster) -> None:
    nodes = [await cluster.node() for _ in range(3)]
    asked = []
    for number in range(40):
        for place, node in enumerate(nodes):
            asked.append(send(node, one(f"{place}-{number}")))
        await asyncio.sleep(0)
        if number % 8 == 0:
            await asked[-1]
    outcomes = await asyncio.gather(*asked)
    log = await everything(nodes[0])
    assert [seq for seq, _ in log] == list(range(1, 121))
    told = {outcome.entries[0].seq: outcome.entries[0].msg_id for outcome in outcomes}
    assert dict(log) == told
    for place in range(3):
        mine = [msg_id for _, msg_id in log if msg_id.startswith(f"{place}-")]
        assert mine == [f"{place}-{number}" for number in range(40)]


async def test_the_same_key_on_two_nodes_at_once_is_appended_once(cluster: Cluster) -> None:
    nodes = [await cluster.node() for _ in range(2)]
    for number in range(20):
        asked = [send(node, one(str(number))) for node in nodes]
        outcomes = await asyncio.gather(*asked)
        assert {outcome.entries[0].seq for outcome in outcomes} == {number + 1}
        assert sorted(outcome.fresh for outcome in outcomes) == [False, True]


async def test_a_key_from_long_before_is_known_on_a_node_that_is_new(cluster: Cluster) -> None:
    first = await cluster.node()
    for number in range(60):
        await send(first, one(str(number)))
    later = await cluster.node()
    outcome = await send(later, one("3"))
    assert (outcome.entries[0].seq, outcome.fresh) == (4, False)


async def test_two_nodes_make_one_group(cluster: Cluster) -> None:
    nodes = [await cluster.node() for _ in range(2)]
    asked = [
        send(node, create("group_x", who)) for node, who in zip(nodes, ("ann", "bob"), strict=True)
    ]
    won, lost = sorted(
        await asyncio.gather(*asked, return_exceptions=True), key=lambda x: isinstance(x, Exception)
    )
    assert isinstance(won, Appended)
    assert isinstance(lost, WebchatError)
    assert lost.code is Code.CONFLICT
    creator = won.entries[0].sender
    assert [span.uid for span in await nodes[0].members.page("group_x", "", 9)] == [creator]


async def test_a_message_decided_on_members_that_another_node_changed_is_refused(
    cluster: Cluster,
) -> None:
    first, second = await cluster.node(), await cluster.node()
    await send(first, create("group_x", "ann", "bob"))
    await send(second, one("1", conv="group_x"))
    await send(first, depart("group_x", "bob", since=1))
    late = Append("group_x", (message("bob", "2"),), members_as_of=2)
    with pytest.raises(MembersChanged):
        await send(second, late)
    assert [seq for seq, _ in await everything(first, "group_x")] == [1, 2, 3]


async def test_what_a_dead_node_left_is_seen_by_who_reads_members(cluster: Cluster) -> None:
    dead, alive = await cluster.node(), await cluster.node()
    await send(alive, create("group_x", "ann", "bob"))
    await dies_after_the_append(dead, depart("group_x", "bob", since=1))
    assert await alive.members.spans("group_x", "bob") == [Membership("group_x", "bob", 1, 2, "")]
    assert await alive.members.count("group_x") == 1


async def test_what_a_dead_node_left_is_finished_by_another(cluster: Cluster) -> None:
    clock = ManualClock()
    dead, alive = await cluster.node(), await cluster.node(clock)
    await dies_after_the_append(dead, create("group_x", "ann", "bob"))
    assert await alive.log.read(user_log("bob"), 0, 9) == []
    await alive.finish_left_behind()
    assert await alive.log.read(user_log("bob"), 0, 9) == []
    clock.advance(2)
    await alive.finish_left_behind()
    (told,) = await alive.log.read(user_log("bob"), 0, 9)
    assert told.msg_id == "group_x:1"
    assert [span.uid for span in await alive.members.of_user("bob")] == ["bob"]
    clock.advance(2)
    await alive.finish_left_behind()
    assert await alive.faulty.table.marked("0", 9) == []


async def test_a_resend_is_answered_when_what_its_dead_node_left_is_done(cluster: Cluster) -> None:
    dead, alive = await cluster.node(), await cluster.node()
    await dies_after_the_append(dead, to_pair("ann", "bob", "1"))
    again = await send(alive, to_pair("ann", "bob", "1"))
    assert not again.fresh
    assert [entry.conv for entry in again.followed] == ["user:ann", "user:bob"]
    assert len(await alive.members.of_user("bob")) == 1


async def test_a_write_that_timed_out_and_won_is_the_senders(cluster: Cluster) -> None:
    node = await cluster.node()
    await send(node, one("0"))
    node.faulty.after_put = once(timed_out)
    outcome = await send(node, one("1"))
    assert (outcome.entries[0].seq, outcome.fresh) == (2, True)
    assert await everything(node) == [(1, "0"), (2, "1")]


async def test_a_write_that_timed_out_and_won_is_known_when_others_went_on(
    cluster: Cluster,
) -> None:
    node, other = await cluster.node(), await cluster.node()
    await send(node, one("0"))

    async def others_go_on(_: Item) -> None:
        node.faulty.after_put = None
        for number in range(12):
            await send(other, one(f"other-{number}", "bob"))
        raise timed_out()

    node.faulty.after_put = others_go_on
    outcome = await send(node, Append(CONV, (Draft("notice", "ann", "", b'{"Body":"1"}'),)))
    assert (outcome.entries[0].seq, outcome.fresh) == (2, True)
    log = await everything(node)
    assert [seq for seq, _ in log] == list(range(1, 15))
    assert log[1] == (2, "")


async def test_a_write_that_timed_out_and_lost_is_made_again(cluster: Cluster) -> None:
    node, other = await cluster.node(), await cluster.node()
    await send(node, one("0"))

    async def another_was_first(_: Item) -> None:
        node.faulty.before_put = None
        await send(other, one("other", "bob"))
        raise timed_out()

    node.faulty.before_put = another_was_first
    assert (await send(node, one("1"))).entries[0].seq == 3
    assert await everything(other) == [(1, "0"), (2, "other"), (3, "1")]


async def test_throttling_is_waited_out(cluster: Cluster) -> None:
    clock = ManualClock()
    node = await cluster.node(clock)
    node.faulty.before_put = once(throttled, 3)
    asked = send(node, one("1"))
    for _ in range(200):
        await asyncio.wait([asked], timeout=0.02)
        clock.advance(0.1)
        if asked.done():
            break
    assert (await asked).entries[0].seq == 1
    assert node.faulty.puts["H"] == 4


async def test_throttling_without_end_is_unavailable_and_nothing_is_lost_after_it(
    cluster: Cluster,
) -> None:
    clock = ManualClock()
    node = await cluster.node(clock)
    node.faulty.before_put = once(throttled, 10**6)
    asked = send(node, one("1"))
    for _ in range(400):
        await asyncio.wait([asked], timeout=0.01)
        clock.advance(0.25)
        if asked.done():
            break
    with pytest.raises(WebchatError) as refusal:
        await asked
    assert refusal.value.code is Code.UNAVAILABLE
    node.faulty.before_put = None
    outcome = await send(node, one("1"))
    assert (outcome.entries[0].seq, outcome.fresh) == (1, True)


def once(failure: Callable[[], Exception], times: int = 1) -> Callable[[Item], Awaitable[None]]:
    """Fails the next `times` writes."""
    left = times

    async def fail(_: Item) -> None:
        nonlocal left
        if left:
            left -= 1
            raise failure()

    return fail


async def test_an_edit_on_one_node_and_a_roll_out_on_another_lose_nothing(
    cluster: Cluster,
) -> None:
    nodes = [await cluster.node() for _ in range(2)]
    for number in range(30):
        await send(nodes[number % 2], one(str(number)))
        edits = [
            send(nodes[0], edit(CONV, "ann", max(2 * number - back, 1), f"e{number}"))
            for back in (0, 3)
        ]
        await asyncio.gather(send(nodes[1], one(f"x{number}")), *edits)
    entries = await nodes[0].log.read(CONV, 0, 10_000)
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    said = {entry.seq: json.loads(entry.envelope) for entry in entries}
    for entry in entries:
        if entry.kind == "edit":
            assert said[said[entry.seq]["Refers"]]["Edited"] >= entry.seq


async def test_positions_moved_on_two_nodes_go_forward_only(cluster: Cluster) -> None:
    nodes = [await cluster.node() for _ in range(2)]
    await send(nodes[0], create("group_x", "ann", "bob"))
    for number in range(12):
        await send(nodes[number % 2], Append("group_x", (message("ann", str(number)),)))
    await asyncio.gather(*[
        move(nodes[number % 2], Move("group_x", "bob", number, number - 1))
        for number in (5, 12, 3, 9, 7)
    ])  # fmt: skip
    for node in nodes:
        assert await node.positions.of_members("group_x", ["bob"]) == {"bob": Position(12, 11, 10)}


async def test_own_messages_move_their_senders_on_every_node(cluster: Cluster) -> None:
    nodes = [await cluster.node() for _ in range(2)]
    uids = ["ann", "bob", "cid", "dan"]
    await send(nodes[0], create("group_x", *uids))
    for turn in range(3):
        for place, uid in enumerate(uids):
            said = Append("group_x", (message(uid, f"{turn}{uid}"),), moves_sender=True)
            outcome = await send(nodes[place % 2], said)
            assert outcome.moved is not None
            seq = outcome.entries[0].seq
            assert (outcome.moved.after.displayed, outcome.moved.uid) == (seq, uid)
    found = await nodes[1].positions.of_members("group_x", uids)
    assert [found[uid].displayed for uid in uids] == [10, 11, 12, 13]


async def test_a_batch_left_by_a_node_that_died_is_taken_as_it_is(cluster: Cluster) -> None:
    dead, alive = await cluster.node(), await cluster.node()
    rolled = asyncio.Event()

    async def die(item: Item) -> None:
        if str(item["sk"]).startswith(keys.BATCH):
            rolled.set()
            await dead.faulty.die(item)

    dead.faulty.after_put = die
    number = 0
    waits = asyncio.create_task(rolled.wait())
    while not rolled.is_set():
        asked = send(dead, one(str(number)))
        asked.add_done_callback(asyncio.Future.exception)
        either: list[asyncio.Future[Any]] = [asked, waits]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        number += asked.done()
    await send(alive, edit(CONV, "ann", 2, "changed in the head, not yet in the batch"))
    for more in range(number, number + 30):
        await send(alive, one(str(more)))
    entries = await alive.log.read(CONV, 0, 100)
    assert [entry.seq for entry in entries] == list(range(1, number + 32))
    assert b"not yet in the batch" in entries[1].envelope


async def test_reactions_of_two_nodes_both_count(cluster: Cluster) -> None:
    nodes = [await cluster.node() for _ in range(2)]
    await send(nodes[0], create("group_x", "ann", "bob"))
    await asyncio.gather(
        send(nodes[0], react("group_x", "ann", 1, "a")),
        send(nodes[1], react("group_x", "bob", 1, "b")),
    )
    assert await nodes[0].log.reactions("group_x", [1], 99) == {1: {"ann": "a", "bob": "b"}}


async def test_members_referred_on_two_nodes_at_once_are_all_in(cluster: Cluster) -> None:
    nodes = [await cluster.node() for _ in range(2)]
    await send(nodes[0], create("group_x", "ann"))
    asked = [send(nodes[n % 2], refer("group_x", "ann", f"u{n}")) for n in range(10)]
    await asyncio.gather(*asked)
    assert await nodes[0].members.count("group_x") == 11
    assert await nodes[1].members.count("group_x") == 11
