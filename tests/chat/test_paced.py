"""What a device asked for comes at the pace of its socket, be it much."""

from __future__ import annotations

import asyncio

from tests.chat.world import FakeSocket, Person, World, settle
from webchat.chat.assembly import Settings
from webchat.chat.lag import BacklogSettings
from webchat.protocol.socketio import Packet


class NarrowSocket(FakeSocket):
    """One whose reader takes what there is when it is waited for. `room`: beyond so many packets it
    is congested; `most`: how many have waited at once."""

    room = 5

    def __init__(self) -> None:
        super().__init__()
        self.waiting = self.most = 0

    @property
    def congested(self) -> bool:
        return self.waiting > self.room

    def emit(self, packet: Packet) -> None:
        super().emit(packet)
        self.waiting += 1
        self.most = max(self.most, self.waiting)

    async def drained(self) -> None:
        while self.congested:
            await asyncio.sleep(0)
            self.waiting = 0


async def with_friends(settings: Settings) -> World:
    """A node on which ben, who has gone, has written to 40 people."""
    world = World(settings)
    ben = await world.joined("ben")
    for number in range(40):
        await ben.send(f"friend-{number}", "hello")
        await world.pass_time(1)
    ben.leave()
    return world


async def narrow(world: World, uid: str) -> tuple[Person, NarrowSocket]:
    person, socket = Person(world, uid), NarrowSocket()
    person.socket = socket
    return await person.connect(), socket


async def test_the_skips_of_a_join_wait_for_the_socket_however_many_they_are() -> None:
    backlog = BacklogSettings(join_entries=5)
    world = await with_friends(Settings(open_mode=True, backlog=backlog))
    phone, socket = await narrow(world, "ben")
    assert (await phone.join({"user:ben": 40}))["ok"]
    await settle()
    assert [len(phone.got(kind)) for kind in ("message", "skip")] == [5, 35]
    assert socket.most <= NarrowSocket.room + 1
    await world.chat.close()


async def test_the_skips_of_cursors_beyond_the_last_wait_for_the_socket_packet_by_packet() -> None:
    world = await with_friends(Settings(open_mode=True))
    phone, socket = await narrow(world, "ben")
    named, packet = [f"dm:ben:friend-{number}" for number in range(40)], 10
    for start in range(0, len(named), packet):
        cursors, more = dict.fromkeys(named[start : start + packet], 2**53), start + packet < 40
        phone.say("sync" if start else "join", {"device": "d", "cursors": cursors, "more": more})
    await settle()
    assert [told["ConvID"] for told in phone.got("skip")] == [*named, "user:ben"]
    assert socket.most <= NarrowSocket.room + packet + 2  # an ack each, and the own log
    await world.chat.close()


async def test_while_the_socket_takes_nothing_no_further_packet_is_missed(world: World) -> None:
    ben = await world.joined("ben")
    for uid in ("anna", "cleo"):
        await ben.send(uid, "hello")
    ben.leave()
    phone = await world.person("ben")
    phone.socket.takes.clear()
    phone.say("join", {"device": "d", "cursors": {"dm:anna:ben": 2**53}, "more": True})
    await world.pass_time(31)
    phone.say("sync", {"cursors": {"dm:ben:cleo": 1}})
    phone.socket.takes.set()
    await settle()
    assert phone.got("message") == []


async def test_snapshots_wait_for_the_socket_however_many_are_asked_for() -> None:
    world = await with_friends(Settings(open_mode=True))
    phone, socket = await narrow(world, "ben")
    convs = [f"dm:ben:friend-{number}" for number in range(40)]
    places = dict.fromkeys(convs, 1) | {"user:ben": 40}
    assert (await phone.join(places, receipts=convs))["ok"]
    await settle(400)
    assert [told["ConvID"] for told in phone.got("receipts")] == convs
    assert socket.most <= NarrowSocket.room + 2
    await world.chat.close()
