"""The store does not answer: senders hear of it, sockets stay, and all goes on when it is back."""

from __future__ import annotations

from structlog.testing import capture_logs

from tests.chat.world import World

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
        for _ in range(30):
            await world.pass_time(1.0)
        assert len(lines) == 1
        world.store.is_down = False
        await world.pass_time(2.0)
    assert [line["event"] for line in lines] == [
        "waits for the store",
        "nothing waits for the store any more",
    ]
