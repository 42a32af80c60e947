"""Positions in a DynamoDB store while the table takes its time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tests.contract.asking import create, message, move, send
from tests.contract.dynamodb_nodes import FaultyTable, Node
from tests.contract.plain_table import PlainTable
from tests.memory import ManualClock, settle
from webchat.adapters.dynamodb import DynamoSettings, keys
from webchat.adapters.dynamodb.rows import uid_of
from webchat.adapters.dynamodb.table import Failed, Item
from webchat.errors import WebchatError
from webchat.model import ConvID, Profile
from webchat.ports.log import Append
from webchat.ports.positions import Move, Moved

MORE_TURNS_THAN_IT_TAKES = 100


async def test_moves_wait_for_those_that_are_being_written_and_none_for_all() -> None:
    node = Node(FaultyTable(PlainTable()), DynamoSettings("nowhere", "none"), ManualClock())
    await send(node, create("group_x", "ann", "bob"))
    await send(node, Append("group_x", (message("ann", "1"), message("ann", "2"))))
    goes_on = asyncio.Event()

    async def hold_the_first(item: Item) -> None:
        if str(item["sk"]).startswith(keys.MEMBER):
            node.faulty.before_put = None
            await goes_on.wait()

    node.faulty.before_put = hold_the_first
    first = asyncio.create_task(move(node, Move("group_x", "bob", 2, 0)))
    await settle(MORE_TURNS_THAN_IT_TAKES)
    second = asyncio.create_task(move(node, Move("group_x", "bob", 3, 0)))
    nothing = asyncio.create_task(move(node))
    await settle(MORE_TURNS_THAN_IT_TAKES)
    assert [second.done(), nothing.done()] == [False, False]
    goes_on.set()
    assert await nothing == []
    assert [one.after.delivered for one in await first] == [2]
    assert [(one.before.delivered, one.after.delivered) for one in await second] == [(2, 3)]


async def test_where_one_member_cannot_be_moved_the_others_are() -> None:
    node = Node(FaultyTable(PlainTable()), DynamoSettings("nowhere", "none"), ManualClock())
    await send(node, create("group_x", "ann", "bob", "cat"))
    await send(node, Append("group_x", (message("ann", "1"),)))

    async def refuse_bob(item: Item) -> None:
        if str(item["sk"]).startswith(keys.MEMBER) and uid_of(item) == "bob":
            raise Failed("this row is refused", may_help=False)

    node.faulty.before_put = refuse_bob
    done: asyncio.Future[Sequence[Moved] | Exception]
    done = asyncio.get_running_loop().create_future()
    both = [Move("group_x", "bob", 2, 0), Move("group_x", "cat", 2, 0)]
    node.positions.move(both, done.set_result)
    outcomes = await done
    assert not isinstance(outcomes, Exception)
    bobs, cats = outcomes
    assert isinstance(bobs.refused, WebchatError)
    assert (cats.uid, cats.after.delivered, cats.refused) == ("cat", 2, None)


async def test_a_conversation_whose_rows_are_not_written_holds_up_no_other() -> None:
    node = Node(FaultyTable(PlainTable()), DynamoSettings("nowhere", "none"), ManualClock())
    many = [f"user-{number}" for number in range(100)]
    await send(node, create("group_x", "ann", *many))
    await send(node, create("group_y", "ann", "bob"))
    goes_on = asyncio.Event()

    async def hold_those_of_x(item: Item) -> None:
        if item["pk"] == keys.log("group_x") and str(item["sk"]).startswith(keys.MEMBER):
            await goes_on.wait()

    told: list[ConvID] = []

    def tell(outcome: Sequence[Moved] | Exception) -> None:
        assert not isinstance(outcome, Exception)
        told.extend(one.conv for one in outcome)

    node.faulty.before_put = hold_those_of_x
    moves = [Move("group_x", uid, 1, 0) for uid in many]
    node.positions.move([*moves, Move("group_y", "bob", 1, 0)], tell)
    await settle(MORE_TURNS_THAN_IT_TAKES)
    assert told == ["group_y"]
    async with asyncio.timeout(10):
        (later,) = await move(node, Move("group_y", "bob", 1, 1))
    assert later.after.displayed == 1
    over = asyncio.create_task(move(node))
    await settle(MORE_TURNS_THAN_IT_TAKES)
    assert not over.done()
    goes_on.set()
    await over
    assert told == ["group_y", *["group_x"] * len(many)]


async def test_a_sender_whose_position_left_the_head_was_where_its_message_before_is() -> None:
    settings = DynamoSettings("nowhere", "none", inline_senders=1)
    node = Node(FaultyTable(PlainTable()), settings, ManualClock())
    await send(node, create("group_x", "ann", "bob", "cat"))
    before = []
    for number in range(3):
        for uid in ("ann", "bob", "cat"):
            said = Append("group_x", (message(uid, str(number)),), moves_sender=True)
            moved = (await send(node, said)).moved
            assert moved is not None
            before.append(moved.before.displayed)
            await settle(MORE_TURNS_THAN_IT_TAKES)
    assert before == [0, 0, 0, 2, 3, 4, 5, 6, 7]


async def test_whether_they_hide_it_is_asked_of_those_alone_who_have_read_something() -> None:
    node = Node(FaultyTable(PlainTable()), DynamoSettings("nowhere", "none"), ManualClock())
    uids = [f"user-{number}" for number in range(300)]
    await send(node, create("group_x", "ann", *uids))
    await send(node, Append("group_x", (message("ann", "1"), message("ann", "2"))))
    hidden = Profile("user-7", "Seven", "", False, "everybody", False)
    await node.accounts.create(hidden, "", 0)
    for reads, displayed in ((0, 1), (1, 2)):
        for uid in uids[5:9]:
            await move(node, Move("group_x", uid, 3, displayed))
        node.faulty.reads.clear()
        counts = await node.positions.counts("group_x", "ann", [2, 3])
        assert node.faulty.reads["get_many"] == reads
    assert counts == {2: (4, 3), 3: (4, 0)}
