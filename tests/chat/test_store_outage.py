"""The store does not answer: senders hear of it, sockets stay, and all goes on when it is back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.chat.watched import WatchedStore
from tests.chat.world import Person, World, settle
from tests.memory import ManualClock, MemoryStore
from webchat.chat.assembly import Settings
from webchat.chat.keeping import KeptSettings
from webchat.errors import Closing, Code, WebchatError
from webchat.model import Login
from webchat.service.patience import RETRY_S, Patience

CONV = "dm:anna:ben"


async def test_senders_and_arrivals_hear_unavailable_and_sockets_stay(world: World) -> None:
    anna, ben = await world.joined("anna"), await world.joined("ben")
    cleo = await world.person("cleo")
    await anna.send("ben", "before")
    world.store.is_down = True
    assert (await anna.send("ben", "during"))["error"]["code"] == "unavailable"
    assert (await cleo.join())["error"]["code"] == "unavailable"
    assert not any(person.socket.closed for person in (anna, ben, cleo))
    assert world.chat.stats.refused == 2
    world.store.is_down = False
    assert (await anna.send("ben", "during"))["ok"]
    assert (await cleo.join())["ok"]
    assert ben.bodies() == ["before", "during"]


async def test_repair_waits_for_the_store_and_then_finds_everything(world: World) -> None:
    other = World(beside=world)
    anna, ben = await world.joined("anna"), await other.joined("ben")
    other.bus.cut_off()
    await anna.send("ben", "missed")
    world.store.is_down = True
    other.bus.reconnect()
    await world.pass_time(10.0)
    assert ben.bodies() == []
    world.store.is_down = False
    await world.pass_time(1.0)
    assert ben.bodies() == ["missed"]
    await other.chat.close()


async def test_heads_that_could_not_be_read_are_published_when_the_store_is_back(
    world: World,
) -> None:
    other = World(beside=world)
    anna, ben = await world.joined("anna"), await other.joined("ben")
    world.bus.cut_off()
    await anna.send("ben", "missed")
    world.store.is_down = True
    world.bus.reconnect()
    await world.pass_time(10.0)
    world.store.is_down = False
    await world.pass_time(1.0)
    assert ben.bodies() == ["missed"]
    await other.chat.close()


async def test_backlogs_wait_for_the_store_and_then_come_whole(world: World) -> None:
    anna = await world.joined("anna")
    for number in range(5):
        await anna.send("ben", str(number))
    phones = [await world.person("ben") for _ in range(20)]
    for phone in phones:
        phone.socket.takes.clear()
        assert (await phone.join())["ok"]
    world.store.is_down = True
    for phone in phones:
        phone.say("sync", {"cursors": {CONV: 0}})
        phone.socket.takes.set()
    await world.pass_time(10.0)
    assert not any(phone.socket.closed for phone in phones)
    world.store.is_down = False
    await world.pass_time(1.0)
    assert all(phone.bodies()[-5:] == ["0", "1", "2", "3", "4"] for phone in phones)


async def test_a_log_that_cannot_be_read_holds_up_no_other(
    world: World, near: World, watched: WatchedStore
) -> None:
    people = [await world.joined(uid) for uid in ("cleo", "dora", "anna")]
    for person in people:
        await world.pass_time(1.0)
        await person.send("ben", f"of {person.uid}")
    anna = people[-1]
    watched.log.damaged.add(CONV)  # the newest, and so the first to be read
    ben = await near.joined("ben")
    assert ben.bodies() == ["of dora", "of cleo"]
    await people[0].send("ben", "live")
    assert (await ben.send("cleo", "answer"))["ok"]
    assert ben.bodies()[2:] == ["live"]
    await anna.send("ben", "later")
    watched.log.damaged.clear()
    await near.pass_time(1.0)
    await anna.send("ben", "live, too")
    assert ben.bodies()[3:] == ["of anna", "later", "live, too"]


async def behind_a_damaged_log(world: World, near: World, watched: WatchedStore) -> Person:
    """ben, whom anna and cleo wrote to: the former's log cannot be read, and of the other he has
    all."""
    anna, cleo = await world.joined("anna"), await world.joined("cleo")
    await anna.send("ben", "of anna")
    await cleo.send("ben", "of cleo")
    watched.log.damaged.add(CONV)
    return await near.joined("ben", {"dm:ben:cleo": 1})


async def test_while_a_log_cannot_be_read_what_else_is_asked_for_comes_at_once(
    world: World, near: World, watched: WatchedStore
) -> None:
    ben = await behind_a_damaged_log(world, near, watched)
    await near.pass_time(5.0)
    await ben.ask("sync", {"cursors": {"dm:ben:cleo": 0}})
    assert ben.bodies() == ["of cleo"]


async def test_logs_that_cannot_be_read_are_tried_one_a_second_while_their_device_is_here(
    world: World, near: World, watched: WatchedStore
) -> None:
    groups = {f"group_{number}" for number in range(3)}
    anna = await world.joined("anna")
    for group in groups:
        await anna.do("create", group, "ben")
    watched.log.damaged |= groups
    ben = await near.joined("ben")
    watched.log.reads.clear()
    for _ in range(3):
        await near.pass_time(1.0)
    assert sorted(watched.log.reads) == sorted(groups)
    ben.leave()
    for _ in range(3):
        await near.pass_time(1.0)
    assert len(watched.log.reads) == 3


async def test_after_an_outage_the_newest_log_comes_first_and_many_are_read_together(
    world: World, near: World, watched: WatchedStore
) -> None:
    friends = [await world.joined(uid) for uid in ("anna", "cleo", "dora")]
    for friend in friends:
        await world.pass_time(1.0)
        await friend.send("ben", f"of {friend.uid}")
    convs = ["dm:ben:dora", "dm:ben:cleo", "dm:anna:ben"]
    watched.log.damaged.update(convs)
    ben = await near.joined("ben")
    await near.pass_time(2.0)  # they wait in another order now
    watched.log.damaged.clear()
    watched.log.read_together.clear()
    await near.pass_time(1.0)
    first, *others = ben.bodies()
    assert others == [f"of {uid}" for uid in ("dora", "cleo", "anna") if f"of {uid}" != first]
    assert [len(together) for together in watched.log.read_together] == [2]


async def test_a_log_that_is_being_tried_again_is_read_by_nobody_else(
    world: World, near: World, watched: WatchedStore
) -> None:
    ben = await behind_a_damaged_log(world, near, watched)
    await near.pass_time(1.0)
    watched.log.damaged.clear()
    waits = watched.log.read_waits[CONV] = asyncio.Event()
    watched.log.reads.clear()
    await near.pass_time(1.0)
    await ben.ask("sync", {"cursors": {CONV: 0, "dm:ben:cleo": 0}})
    assert (watched.log.reads.count(CONV), ben.bodies()) == (1, ["of cleo"])
    waits.set()
    await settle()
    assert ben.bodies() == ["of cleo", "of anna"]


async def test_an_outage_is_two_lines_in_the_log_however_many_wait(world: World) -> None:
    anna = await world.joined("anna")
    await anna.send("ben", "hello")
    phones = [await world.person("ben") for _ in range(20)]
    for phone in phones:
        phone.socket.takes.clear()
        assert (await phone.join())["ok"]
    world.store.is_down = True
    with capture_logs() as lines:
        for phone in phones:
            phone.socket.takes.set()
            phone.say("sync", {"cursors": {CONV: 0}})
        world.chat.compare()
        drop = world.chat.patience.attempt(
            lambda: world.store.logins.forget_expired(0), "dropping what has expired"
        )
        dropping = asyncio.create_task(drop)
        for _ in range(30):
            await world.pass_time(1.0)
        assert len(lines) == 1
        world.store.is_down = False
        await world.pass_time(2.0)
        await dropping
    assert [line["event"] for line in lines] == [
        "waits for the store",
        "nothing waits for the store any more",
    ]


async def test_who_is_cancelled_while_the_store_is_away_does_not_say_that_it_is_back() -> None:
    clock = ManualClock()
    store = MemoryStore(clock)
    patience = Patience(clock)

    def insisting() -> asyncio.Task[Any]:
        return asyncio.create_task(patience.insist(lambda: store.log.heads([CONV]), "asking"))

    store.is_down = True
    with capture_logs() as lines:
        for _ in range(2):
            waiting = insisting()
            await settle()
            clock.advance(RETRY_S)
            await settle()
            waiting.cancel()
            await settle()
        assert [line["event"] for line in lines] == ["waits for the store"]
        store.is_down = False
        for _ in range(2):
            await insisting()
    assert [line["event"] for line in lines] == [
        "waits for the store",
        "nothing waits for the store any more",
    ]


# What no retry mends


class Defective:
    """A port. What `fails` names fails the next time that it is asked for; what `goes_unanswered`
    names is done then, and the answer is lost."""

    def __init__(self, port: Any) -> None:
        self._port = port
        self.fails = self.goes_unanswered = ""

    def __getattr__(self, method: str) -> Any:
        if method == self.fails:
            self.fails = ""
            return self._fail
        done = getattr(self._port, method)
        if method != self.goes_unanswered:
            return done
        self.goes_unanswered = ""
        return self._unanswered(done)

    def _unanswered(self, done: Any) -> Any:
        async def act(*said: Any) -> None:
            await done(*said)
            raise WebchatError(Code.UNAVAILABLE, "the answer is lost")

        return act

    async def _fail(self, *_: Any) -> None:
        raise ValueError("of the port")


@pytest.fixture
async def defective(world: World) -> AsyncIterator[tuple[World, Defective, Defective]]:
    """A node, its log and its logins."""
    log, logins = Defective(world.store.log), Defective(world.store.logins)
    ports = {**vars(world.store), "log": log, "logins": logins}
    made = World(beside=world, store=SimpleNamespace(**ports))
    yield made, log, logins
    await made.chat.close()


async def test_a_gap_that_could_not_be_read_is_read_with_the_next_entry(
    world: World, defective: tuple[World, Defective, Defective]
) -> None:
    node, log, _ = defective
    anna, ben = await world.joined("anna"), await node.joined("ben")
    await anna.send("ben", "0")
    world.buses.fate = lambda _topic, payload: 0 if b'"1"' in payload else 1
    log.fails = "read"
    for body in ("1", "2"):
        await anna.send("ben", body)
    assert ben.bodies() == ["0"]
    await anna.send("ben", "3")
    assert ben.bodies() == ["0", "1", "2", "3"]


async def test_a_sweep_that_failed_goes_on(
    world: World, defective: tuple[World, Defective, Defective]
) -> None:
    node, log, _ = defective
    anna, ben = await world.joined("anna"), await node.joined("ben")
    world.buses.fate = lambda _topic, _payload: 0
    await anna.send("ben", "lost")
    await world.pass_time(601.0)  # its first pass began when nobody was here
    log.fails = "heads"
    await world.pass_time(601.0)
    assert (log.fails, ben.bodies()) == ("", [])
    await world.pass_time(601.0)
    assert ben.bodies() == ["lost"]


async def test_receipts_are_kept_though_some_before_could_not_be() -> None:
    before = World(Settings(open_mode=True, kept=KeptSettings(kept_receipts=10)))
    kept = Defective(before.store.kept)
    world = World(beside=before, store=SimpleNamespace(**{**vars(before.store), "kept": kept}))
    anna, ben = await world.person("anna"), await world.person("ben")
    for person in (anna, ben):
        await person.ask("join", person.uid)
    for body in ("one", "two"):
        await anna.send("ben", body)
    anna.leave()
    kept.fails = "keep"
    for body in ("one", "two"):
        await ben.confirm("display", "anna", MsgID=f"anna-{body}")
    anna = await world.person("anna")
    await anna.ask("join", "anna")
    assert [told["MsgID"] for told in anna.got("display")] == ["anna-two"]
    await world.chat.close()
    await before.chat.close()


async def test_receipts_that_were_kept_twice_since_the_store_had_not_answered_come_once() -> None:
    before = World(Settings(open_mode=True, kept=KeptSettings(kept_receipts=10)))
    kept = Defective(before.store.kept)
    world = World(beside=before, store=SimpleNamespace(**{**vars(before.store), "kept": kept}))
    anna, ben = await world.person("anna"), await world.joined("ben")
    await anna.ask("join", "anna")
    for body in ("one", "two"):
        await anna.send("ben", body)
    anna.leave()
    kept.goes_unanswered = "keep"
    for seq, kind in enumerate(("delivery", "display"), 1):
        await ben.confirm(kind, "anna", ConvID="dm:anna:ben", Seq=seq)
    await world.pass_time(2.0)
    assert kept.goes_unanswered == ""
    anna = await world.person("anna")
    await anna.ask("join", "anna")
    told = [(said["EvtType"], said["MsgID"]) for said in anna.got("delivery", "display")]
    assert told == [("delivery", "anna-one"), ("display", "anna-one"), ("display", "anna-two")]
    await world.chat.close()
    await before.chat.close()


async def test_logins_that_end_are_seen_though_looking_for_them_has_failed(
    world: World, defective: tuple[World, Defective, Defective]
) -> None:
    node, _, logins = defective
    await settle()
    await world.store.logins.add(b"phone", Login("login-anna", "anna", 0, 0, 2**53))
    anna = await node.joined("anna")
    logins.fails = "revocations"
    await world.pass_time(0.5)
    await world.store.logins.revoke("anna", "login-anna")
    assert (logins.fails, anna.socket.closed) == ("", False)
    await world.pass_time(0.5)
    assert anna.socket.why is Closing.SESSION_REVOKED
