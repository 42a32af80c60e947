"""What a device asked for comes at the pace of its socket, be it much."""

from __future__ import annotations

import asyncio

from tests.chat.world import FakeSocket, Person, World, settle
from webchat.chat.assembly import Settings
from webchat.chat.lag import BacklogSettings
from webchat.protocol.socketio import Packet


class NarrowSocket(FakeSocket):
    """One whose reader takes what waits once in each turn of the loop. `room`: beyond so many
    packets it is congested; `most`: how many have waited at once."""

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


async def narrow(world: World, uid: str) -> Person:
    person = Person(world, uid)
    person.socket = NarrowSocket()
    return await person.connect()


async def test_the_skips_of_a_join_wait_for_the_socket_however_many_they_are() -> None:
    world = World(Settings(open_mode=True, backlog=BacklogSettings(join_entries=5)))
    ben = await world.joined("ben")
    for number in range(40):
        await ben.send(f"friend-{number}", "hello")
        await world.pass_time(1)
    ben.leave()
    phone = await narrow(world, "ben")
    assert (await phone.join({"user:ben": 40}))["ok"]
    await settle()
    assert [len(phone.got(kind)) for kind in ("message", "skip")] == [5, 35]
    assert isinstance(phone.socket, NarrowSocket)
    assert phone.socket.most <= NarrowSocket.room + 1
    await world.chat.close()
