"""How fast one connection may speak, and all of one person's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import pytest

from tests.chat.world import Person, World, settle
from webchat.chat.assembly import Settings
from webchat.chat.handlers import ChatSettings
from webchat.chat.rates import Bucket, Rates
from webchat.model import Uid

PER_S, BURST = 30.0, 300
_ids = count()


@pytest.fixture
def rates() -> Rates:
    return Rates(PER_S, BURST, by_user=True)


def taken(rates: Rates, bucket: Bucket, now_s: float, uid: Uid | None = None) -> int:
    """How many events are let through at that time."""
    events = 0
    while rates.take(bucket, uid, now_s) == 0:
        events += 1
    return events


@pytest.mark.parametrize("now_s", [0.0, 1e6 / 3])
def test_a_burst_goes_at_once_and_then_as_many_as_time_has_passed(
    rates: Rates, now_s: float
) -> None:
    bucket = Bucket()
    assert taken(rates, bucket, now_s) == BURST
    assert taken(rates, bucket, now_s + 1) == PER_S
    assert taken(rates, bucket, now_s + 2.5) == 1.5 * PER_S


def test_a_long_silence_earns_no_more_than_a_burst(rates: Rates) -> None:
    bucket = Bucket()
    taken(rates, bucket, 0)
    assert taken(rates, bucket, 86_400) == BURST


def test_who_waits_as_long_as_is_said_may_go_on(rates: Rates) -> None:
    bucket = Bucket()
    taken(rates, bucket, 5)
    wait_ms = rates.take(bucket, None, 5)
    assert wait_ms == 34
    assert rates.take(bucket, None, 5 + wait_ms / 1000) == 0
    assert rates.take(bucket, None, 5 + wait_ms / 1000) > 0


def test_all_connections_of_a_user_say_ten_times_as_much_as_one(rates: Rates) -> None:
    assert sum(taken(rates, Bucket(), 0, "anna") for _ in range(50)) == 10 * BURST
    assert taken(rates, Bucket(), 1, "anna") == BURST
    assert taken(rates, Bucket(), 1, "ben") == BURST


def test_a_user_is_not_refused_for_what_was_refused(rates: Rates) -> None:
    bucket = Bucket()
    for _ in range(20):
        taken(rates, bucket, 0, "anna")
    assert taken(rates, Bucket(), 0, "anna") == BURST


def test_of_users_who_were_silent_long_enough_nothing_is_kept(rates: Rates) -> None:
    for at in range(100_000):
        rates.take(Bucket(), f"user-{at}", float(at))
    assert len(rates._full_at_s) <= 1_000


def test_what_costs_more_than_a_burst_costs_a_burst(rates: Rates) -> None:
    bucket = Bucket()
    assert rates.take(bucket, None, 0, 100 * BURST) == 0
    assert rates.take(bucket, None, 0) > 0
    assert rates.take(bucket, None, 10, 100 * BURST) == 0


@pytest.fixture
async def slow_world() -> AsyncIterator[World]:
    """A connection may say 40 things at once, and then 10 a second."""
    made = World(Settings(chat=ChatSettings(rate_events_per_s=10, rate_burst=40)))
    await made.register("anna", "ben", *(f"p{at}" for at in range(1_000)))
    yield made
    await made.chat.close()


async def acts_taken(person: Person, kind: str, people: int) -> int:
    """How many acts on so many people are let through now."""
    done = 0
    while True:
        uids = [f"p{at}" for at in range(people)]
        group = f"group_new_{next(_ids)}" if kind == "create" else "group_1"
        ack_id = person.say("chat", person.act(kind, group, Body=json.dumps(uids)))
        while ack_id not in person.socket.acks:
            await settle()
        answer = person.socket.acks[ack_id]
        if not answer["ok"]:
            assert answer["error"]["code"] == "rate_limited"
            return done
        done += 1


@pytest.mark.parametrize(("people", "acts"), [(1, 38), (250, 7), (1_000, 1)])
@pytest.mark.parametrize("kind", ["create", "refer", "remove"])
async def test_an_act_on_many_people_counts_as_one_for_each_fifty(
    slow_world: World, kind: str, people: int, acts: int
) -> None:
    anna = await slow_world.joined("anna")
    await anna.do("create", "group_1", "ben")
    assert await acts_taken(anna, kind, people) == acts


async def test_an_act_on_many_people_counts_for_more_where_each_is_more_work() -> None:
    chat = ChatSettings(rate_events_per_s=10, rate_burst=40, people_per_event=5)
    world = World(Settings(chat=chat))
    await world.register("anna", "ben", *(f"p{at}" for at in range(50)))
    anna = await world.joined("anna")
    assert await acts_taken(anna, "create", 50) == 3
    await world.chat.close()


async def test_a_packet_counts_as_one_more_for_each_ten_snapshots(slow_world: World) -> None:
    anna = await slow_world.joined("anna")
    asked = 0
    while (await anna.ask("sync", {"receipts": ["group_1"] * 50}))["ok"]:
        asked += 1
    assert asked == 6


async def test_who_leaves_and_comes_back_goes_on_at_the_rate_of_all_its_connections(
    slow_world: World,
) -> None:
    told = 0
    for _ in range(20):
        anna = await slow_world.person("anna")
        if not (await anna.join())["ok"]:
            continue
        for _ in range(39):
            told += (await anna.send("ben", str(next(_ids))))["ok"]
        anna.leave()
    assert told == 10 * 39


async def test_receipts_whose_messages_are_sought_in_a_group_take_their_time(
    slow_world: World,
) -> None:
    anna = await slow_world.joined("anna")
    await anna.do("create", "group_1", "ben")
    receipt = anna.act("delivery", "group_1", MsgID="nobody's")
    asked = [anna.say("chat", receipt) for _ in range(240)]
    while len(anna.socket.acks) < 200:
        await settle()
    for _ in range(20):
        await settle()
    at_once = [ack_id for ack_id in asked if ack_id in anna.socket.acks]
    assert len(at_once) == 200
    for _ in range(40):
        await slow_world.pass_time(0.051)
    assert all(anna.socket.acks[ack_id]["ok"] for ack_id in asked)
    assert (await anna.send("ben", "they were no events"))["ok"]


async def test_of_one_user_one_message_is_sought_at_a_time(
    slow_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = [await slow_world.joined("anna") for _ in range(5)]
    await devices[0].do("create", "group_1", "ben")
    read_before, reading, most = slow_world.store.log.read_before, 0, 0

    async def read_late(*args: Any) -> Any:
        nonlocal reading, most
        reading += 1
        most = max(most, reading)
        await asyncio.sleep(0)
        reading -= 1
        return await read_before(*args)

    monkeypatch.setattr(slow_world.store.log, "read_before", read_late)
    asked = []
    for device in devices * 5:
        receipt = device.act("delivery", "group_1", MsgID=f"nobody's-{next(_ids)}")
        asked.append((device, device.say("chat", receipt)))
    await slow_world.pass_time(1)
    assert all(device.socket.acks[ack_id]["ok"] for device, ack_id in asked)
    assert most == 1


async def test_other_receipts_take_none(slow_world: World) -> None:
    anna, ben = await slow_world.joined("anna"), await slow_world.joined("ben")
    await anna.send("ben", "hello")
    receipt = {"EvtType": "delivery", "From": "ben", "To": "anna", "Timestamp": 1}
    places = ({"ConvID": "dm:anna:ben", "Seq": 1}, {"MsgID": "anna-hello"})
    asked = [ben.say("chat", receipt | place) for place in places for _ in range(100)]
    await slow_world.pass_time(1)
    assert all(ben.socket.acks[ack_id]["ok"] for ack_id in asked)


async def test_a_rejoin_with_a_long_list_counts_like_any_list(slow_world: World) -> None:
    anna = await slow_world.joined("anna")
    await anna.do("create", "group_1", "ben")
    body = json.dumps([f"p{at}" for at in range(1_000)])
    answers = [await anna.do("rejoin", "group_1", Body=body) for _ in range(3)]
    assert [answer["ok"] for answer in answers] == [True, False, False]


@pytest.fixture
async def strict_world() -> AsyncIterator[World]:
    """A connection may say 10 things at once, and then 10 a second; 30 are refused at once."""
    settings = ChatSettings(rate_events_per_s=10, rate_burst=10, refusals_burst=30)
    made = World(Settings(chat=settings))
    await made.register("anna", "ben")
    yield made
    await made.chat.close()


def say_many(person: Person, count_: int) -> list[int]:
    """Send messages without a pause; their ack ids."""
    return [person.say("chat", person.message("ben", f"m-{next(_ids)}")) for _ in range(count_)]


async def test_who_goes_on_though_it_is_refused_rests(strict_world: World) -> None:
    anna = await strict_world.joined("anna")
    assert (await anna.send("ben", "hello"))["ok"]
    asked = say_many(anna, 8 + 30)
    assert anna.socket.rests == 0
    asked += say_many(anna, 5)
    await settle()
    assert anna.socket.rests == 5
    answers = [anna.socket.acks[ack_id] for ack_id in asked]
    assert [answer["ok"] for answer in answers] == [True] * 8 + [False] * 35
    assert {answer["error"]["code"] for answer in answers[8:]} == {"rate_limited"}


async def test_who_is_a_little_too_fast_never_rests(strict_world: World) -> None:
    anna = await strict_world.joined("anna")
    for _ in range(60):
        say_many(anna, 19)
        await strict_world.pass_time(1)
    assert anna.socket.rests == 0


async def test_who_was_patient_for_a_while_is_refused_as_often_again(strict_world: World) -> None:
    anna = await strict_world.joined("anna")
    say_many(anna, 9 + 31)
    await settle()
    assert anna.socket.rests == 1
    await strict_world.pass_time(60)
    say_many(anna, 10 + 30)
    assert anna.socket.rests == 1


async def test_what_is_no_event_at_all_counts_as_refused(strict_world: World) -> None:
    anna = await strict_world.joined("anna")
    for _ in range(30):
        anna.say("chat", {"EvtType": 1})
    assert anna.socket.rests == 0
    anna.say("chat", {"EvtType": 1})
    assert anna.socket.rests == 1


async def test_one_connections_refusals_are_not_anothers(strict_world: World) -> None:
    anna, also = await strict_world.joined("anna"), await strict_world.joined("anna")
    say_many(anna, 100)
    say_many(also, 9 + 30)
    assert also.socket.rests == 0


async def test_as_many_are_refused_at_once_as_may_be_said_at_once() -> None:
    made = World(Settings(open_mode=True, chat=ChatSettings(rate_burst=2_000)))
    anna = await made.person("anna")
    assert (await anna.ask("join", {"uid": "anna", "device": "d", "cursors": {}}))["ok"]
    for _ in range(1_999 + 2_000):
        anna.say("x")
    assert anna.socket.rests == 0
    anna.say("x")
    assert anna.socket.rests == 1
    await made.chat.close()
