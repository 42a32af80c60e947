"""The contract of `ports/log.py`: order, durability's face, idempotence, reading."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import msgspec
import pytest

from tests.contract.asking import create, message, send, to_pair
from tests.memory import ManualClock
from webchat.errors import Code, MembersChanged, WebchatError
from webchat.model import Head, pair_conv, user_log
from webchat.ports.log import Append, Appended
from webchat.ports.store import Store

CONV = pair_conv("ann", "bob")


def one(msg_id: str, sender: str = "ann") -> Append:
    return Append(CONV, (message(sender, msg_id),))


async def test_entries_get_seq_from_1_without_gaps(store: Store) -> None:
    asked = [send(store, one(str(number))) for number in range(1, 51)]
    await asyncio.gather(*asked)
    entries = await store.log.read(CONV, 0, 100)
    assert [entry.seq for entry in entries] == list(range(1, 51))
    assert [entry.msg_id for entry in entries] == [str(number) for number in range(1, 51)]


async def test_appends_in_later_turns_go_on_where_the_log_ended(store: Store) -> None:
    seqs = [(await send(store, one(str(number)))).entries[0].seq for number in range(5)]
    assert seqs == [1, 2, 3, 4, 5]


async def test_only_messages_count_into_n(store: Store) -> None:
    await send(store, create("group_x", "ann", "bob"))
    outcome = await send(store, Append("group_x", (message("bob", "1"), message("ann", "2"))))
    assert [(entry.seq, entry.n) for entry in outcome.entries] == [(2, 1), (3, 2)]


async def test_an_entry_bears_its_place_its_time_and_its_envelope(
    store: Store, clock: ManualClock
) -> None:
    clock.advance(1.5)
    entry = (await send(store, Append(CONV, (message("ann", "m-1", "héllo ✓"),)))).entries[0]
    assert (entry.conv, entry.at) == (CONV, clock.now_ms())
    assert json.loads(entry.envelope) == {
        "Body": "héllo ✓", "ConvID": CONV, "Seq": 1, "N": 1, "StoredAt": clock.now_ms()
    }  # fmt: skip
    assert await store.log.read(CONV, 0, 1) == [entry]


async def test_done_is_called_once_later_and_in_the_order_of_seq(store: Store) -> None:
    told: list[int] = []
    finished = asyncio.get_running_loop().create_future()

    def done_for(number: int) -> Callable[[Appended | Exception], None]:
        def done(outcome: Appended | Exception) -> None:
            assert isinstance(outcome, Appended)
            told.append(outcome.entries[0].seq)
            if number == 20:
                finished.set_result(None)

        return done

    for number in range(1, 21):
        store.log.append(one(str(number)), done_for(number))
    assert told == []
    await finished
    assert told == list(range(1, 21))


async def test_messages_to_many_logs_at_once_go_on_where_each_ended(store: Store) -> None:
    convs = [f"group_{number}" for number in range(5)]
    for conv in convs:
        await send(store, create(conv, "ann", "bob"))
    drafts = [(message("ann", str(number)),) for number in range(3)]
    asked = [send(store, Append(conv, each)) for each in drafts for conv in convs]
    outcomes = await asyncio.gather(*asked)
    assert [outcome.entries[0].seq for outcome in outcomes] == [2] * 5 + [3] * 5 + [4] * 5
    for conv in convs:
        assert [entry.seq for entry in await store.log.read(conv, 0, 9)] == [1, 2, 3, 4]


async def test_a_failing_done_does_not_keep_the_others_from_theirs(store: Store) -> None:
    loop = asyncio.get_running_loop()
    reported: list[object] = []
    loop.set_exception_handler(lambda _, context: reported.append(context["exception"]))

    def fail(_: Appended | Exception) -> None:
        raise ZeroDivisionError

    store.log.append(one("1"), fail)
    assert (await send(store, one("2"))).entries[0].seq == 2
    assert [type(error) for error in reported] == [ZeroDivisionError]


async def test_appending_from_inside_done_works(store: Store) -> None:
    second: asyncio.Future[asyncio.Future[Appended]] = asyncio.get_running_loop().create_future()
    store.log.append(one("1"), lambda _: second.set_result(send(store, one("2"))))
    assert (await (await second)).entries[0].seq == 2


async def test_a_key_met_again_gets_its_first_entry(store: Store) -> None:
    first = await send(store, one("1"))
    await send(store, one("2"))
    again = await send(store, one("1"))
    assert (again.entries, again.fresh) == (first.entries, False)
    assert first.fresh
    assert len(await store.log.read(CONV, 0, 10)) == 2


async def test_a_key_met_again_in_the_same_batch_is_appended_once(store: Store) -> None:
    asked = [send(store, one(msg_id)) for msg_id in ("1", "1", "2", "1")]
    outcomes = await asyncio.gather(*asked)
    assert [outcome.entries[0].seq for outcome in outcomes] == [1, 1, 2, 1]
    assert [outcome.fresh for outcome in outcomes] == [True, False, True, False]


async def test_a_key_belongs_to_its_sender_and_its_log(store: Store) -> None:
    await send(store, one("1", "ann"))
    assert (await send(store, one("1", "bob"))).entries[0].seq == 2
    elsewhere = await send(store, Append("group_x", (message("ann", "1"),)))
    assert (elsewhere.entries[0].seq, elsewhere.fresh) == (1, True)


async def test_an_empty_msg_id_is_no_key(store: Store) -> None:
    await send(store, one(""))
    assert (await send(store, one(""))).entries[0].seq == 2
    assert await store.log.find(CONV, "ann", "") is None


async def test_the_key_is_looked_up_before_any_condition(store: Store) -> None:
    first = await send(store, create("group_x", "ann", "bob", msg_id="c"))
    again = await send(store, create("group_x", "ann", "bob", msg_id="c"))
    assert (again.entries, again.fresh) == (first.entries, False)
    stale = Append("group_x", (message("ann", "c"),), members_as_of=0)
    assert (await send(store, stale)).entries == first.entries


async def test_what_had_followed_is_told_again_with_a_key_met_again(store: Store) -> None:
    first = await send(store, to_pair("ann", "bob", "1"))
    again = await send(store, to_pair("ann", "bob", "1"))
    assert {entry.conv for entry in first.followed} == {"user:ann", "user:bob"}
    assert again.followed == first.followed


async def test_an_append_decided_on_old_members_is_refused_and_nothing_else_is(
    store: Store,
) -> None:
    await send(store, create("group_x", "ann", "bob"))
    drafts = [(message("ann", str(number)),) for number in range(3)]
    asked = [
        send(store, Append("group_x", drafts[0], members_as_of=1)),
        send(store, Append("group_x", drafts[1], members_as_of=0)),
        send(store, Append("group_x", drafts[2], members_as_of=1)),
    ]
    before, refused, after = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(before, Appended)
    assert isinstance(refused, MembersChanged)
    assert isinstance(after, Appended)
    assert (before.entries[0].seq, after.entries[0].seq) == (2, 3)


async def test_a_membership_entry_of_the_same_batch_counts(store: Store) -> None:
    await send(store, create("group_x", "ann", "bob"))
    join = Append("group_x", (message("ann", "j"),), members_as_of=1, is_membership=True)
    late = send(store, Append("group_x", (message("bob", "1"),), members_as_of=1))
    joined = send(store, join)
    too_late = send(store, Append("group_x", (message("bob", "2"),), members_as_of=1))
    assert (await late).entries[0].seq == 2
    assert (await joined).entries[0].seq == 3
    with pytest.raises(MembersChanged):
        await too_late


async def test_a_log_that_must_be_new_is_refused_if_it_exists(store: Store) -> None:
    asked = [send(store, create("group_x", who, msg_id=who)) for who in ("ann", "bob")]
    won, lost = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(won, Appended)
    assert isinstance(lost, WebchatError)
    assert lost.code is Code.CONFLICT
    assert [entry.sender for entry in await store.log.read("group_x", 0, 9)] == ["ann"]


async def test_drafts_of_one_append_lie_next_to_each_other(store: Store) -> None:
    several = Append(CONV, tuple(message("ann", str(number)) for number in range(3)))
    asked = [send(store, one("a")), send(store, several), send(store, one("b"))]
    seqs = [[entry.seq for entry in outcome.entries] for outcome in await asyncio.gather(*asked)]
    assert seqs == [[1], [2, 3, 4], [5]]


@pytest.mark.parametrize("drafts", [(), (message("ann", "1"), message("ann", "1"))])
async def test_an_append_that_contradicts_itself_raises_at_once(
    store: Store, drafts: tuple[()]
) -> None:
    with pytest.raises(ValueError, match="without drafts, or with a key twice"):
        store.log.append(Append(CONV, drafts), lambda _: None)


async def test_reading_begins_after_a_seq_and_ends_at_the_limit(store: Store) -> None:
    await asyncio.gather(*[send(store, one(str(number))) for number in range(1, 11)])
    read = store.log.read
    assert [entry.seq for entry in await read(CONV, 3, 4)] == [4, 5, 6, 7]
    assert [entry.seq for entry in await read(CONV, 8, 100)] == [9, 10]
    assert await read(CONV, 10, 100) == []
    assert await read(CONV, 10**30, 100) == []
    assert await read("dm:nobody:noone", 0, 100) == []


async def test_many_logs_are_read_at_once_each_from_its_place(store: Store) -> None:
    await asyncio.gather(*[send(store, one(str(number))) for number in range(1, 8)])
    await send(store, create("group_x", "ann", "bob"))
    await send(store, Append("group_x", (message("ann", "1"),)))
    read, read_each = store.log.read, store.log.read_each
    places = {CONV: 2, "group_x": 0, user_log("ann"): 10**30, user_log("bob"): 0, "group_none": 0}
    assert await read_each(places, 3) == {
        CONV: await read(CONV, 2, 3),
        "group_x": await read("group_x", 0, 3),
        user_log("bob"): await read(user_log("bob"), 0, 3),
    }
    assert await read_each({CONV: -1}, 3) == {CONV: await read(CONV, -1, 3)}
    assert await read_each({}, 3) == {}


async def test_reading_before_gives_the_newest_ascending(store: Store) -> None:
    await asyncio.gather(*[send(store, one(str(number))) for number in range(1, 11)])
    read_before = store.log.read_before
    assert [entry.seq for entry in await read_before(CONV, None, 3)] == [8, 9, 10]
    assert [entry.seq for entry in await read_before(CONV, 5, 3)] == [2, 3, 4]
    assert [entry.seq for entry in await read_before(CONV, 3, 100)] == [1, 2]
    assert [entry.seq for entry in await read_before(CONV, 10**30, 1)] == [10]
    assert await read_before(CONV, 1, 100) == []
    assert await read_before("dm:nobody:noone", None, 100) == []


async def test_an_entry_is_found_by_its_key(store: Store) -> None:
    entry = (await send(store, one("m-1"))).entries[0]
    assert await store.log.find(CONV, "ann", "m-1") == entry
    assert await store.log.find(CONV, "bob", "m-1") is None
    assert await store.log.find("group_x", "ann", "m-1") is None


async def test_heads_of_many_logs_leave_out_those_that_do_not_exist(
    store: Store, clock: ManualClock
) -> None:
    await send(store, create("group_x", "ann", "bob"))
    await send(store, Append("group_x", (message("ann", "1"),)))
    await send(store, one("1"))
    heads = await store.log.heads([CONV, "group_x", "group_none", user_log("ann")])
    assert heads == {
        CONV: Head(1, 1, clock.now_ms(), 0),
        "group_x": Head(2, 1, clock.now_ms(), 1),
        user_log("ann"): Head(1, 0, clock.now_ms(), 0),
    }


async def test_hundreds_of_heads_are_one_question(store: Store) -> None:
    convs = [f"group_{number}" for number in range(250)]
    await asyncio.gather(*[send(store, Append(conv, (message("ann", "1"),))) for conv in convs])
    heads = await store.log.heads(convs)
    assert [head.last for head in heads.values()] == [1] * 250


async def test_a_users_log_is_a_log_like_others(store: Store) -> None:
    await send(store, create("group_x", "ann", "bob"))
    entries = await store.log.read(user_log("bob"), 0, 10)
    assert [(entry.seq, entry.n, entry.kind) for entry in entries] == [(1, 0, "conversation")]
    envelope = msgspec.json.decode(entries[0].envelope, type=dict[str, object])
    assert "N" not in envelope
    assert json.loads(str(envelope["Body"])) == {"Conv": "group_x", "state": "added", "Seq": 1}
