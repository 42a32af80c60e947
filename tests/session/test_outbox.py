"""What waits to be written: one write a turn, bounded in bytes."""

from __future__ import annotations

import asyncio

from tests.session.world import FakeWire, turn
from webchat.protocol.engineio import Packet
from webchat.session.outbox import PACKET_BYTES, Bounds, Flusher, Outbox


class Owner:
    def __init__(self) -> None:
        self.overflows = 0

    def overflow(self) -> None:
        self.overflows += 1


def an_outbox(max_bytes: int = 1_000, low_water_bytes: int = 100) -> tuple[Outbox, Owner]:
    flusher = Flusher(asyncio.get_running_loop().call_soon)
    owner = Owner()
    return Outbox(Bounds(max_bytes, low_water_bytes, flusher), owner), owner


def a_packet(size: int) -> Packet:
    """One that counts as `size` bytes."""
    return Packet(b"4" + b"x" * (size - PACKET_BYTES - 1))


async def test_what_is_put_in_one_turn_is_one_write() -> None:
    outbox, _ = an_outbox()
    wire = FakeWire()
    outbox.open(wire)
    outbox.put(Packet(b"4a"))
    outbox.put(Packet(b"4b"))
    assert wire.writes == []
    await turn()
    outbox.put(Packet(b"4c"))
    await turn()
    assert wire.writes == [["4a", "4b"], ["4c"]]


async def test_many_outboxes_are_flushed_in_the_turn_they_were_filled() -> None:
    flusher = Flusher(asyncio.get_running_loop().call_soon)
    wires = [FakeWire() for _ in range(3)]
    packet = Packet(b"4to all")
    for wire in wires:
        outbox = Outbox(Bounds(100, 10, flusher), Owner())
        outbox.open(wire)
        outbox.put(packet)
    await asyncio.sleep(0)
    assert [wire.writes for wire in wires] == [[["4to all"]]] * 3


async def test_nothing_is_written_while_the_sink_is_shut() -> None:
    outbox, _ = an_outbox()
    wire = FakeWire()
    outbox.open(wire)
    outbox.shut(held_bytes=5)
    outbox.put(Packet(b"4a"))
    await turn()
    assert wire.writes == []
    outbox.open(wire)
    assert wire.writes == [["4a"]]


async def test_over_the_bound_the_owner_hears_of_it() -> None:
    outbox, owner = an_outbox(max_bytes=1000)
    outbox.put(a_packet(1000))
    assert owner.overflows == 0
    outbox.put(a_packet(65))
    assert owner.overflows == 1
    assert outbox.is_full


async def test_several_are_put_as_they_would_be_one_by_one() -> None:
    outbox, owner = an_outbox(max_bytes=1000)
    wire = FakeWire()
    outbox.open(wire)
    outbox.put_all([])
    await turn()
    assert wire.writes == []
    outbox.put(Packet(b"4a"))
    outbox.put_all([Packet(b"4b"), Packet(b"4c")])
    await turn()
    assert wire.writes == [["4a", "4b", "4c"]]
    outbox.put_all([a_packet(500), a_packet(500)])
    assert owner.overflows == 0
    outbox.put_all([a_packet(65)])
    assert owner.overflows == 1


async def test_packets_of_a_byte_each_are_not_free() -> None:
    outbox, owner = an_outbox(max_bytes=6_500)
    for _ in range(100):
        outbox.put(Packet(b"3"))
    assert owner.overflows == 0
    outbox.put(Packet(b"3"))
    assert owner.overflows == 1


async def test_what_the_sink_holds_counts() -> None:
    outbox, owner = an_outbox(max_bytes=1000)
    outbox.shut(held_bytes=600)
    outbox.put(a_packet(400))
    assert owner.overflows == 0
    outbox.put(a_packet(65))
    assert owner.overflows == 1


async def test_drained_waits_until_the_low_water_mark() -> None:
    outbox, _ = an_outbox(low_water_bytes=100)
    outbox.put(a_packet(101))
    assert outbox.congested
    waiting = asyncio.create_task(outbox.drained())
    await turn()
    assert not waiting.done()
    outbox.open(FakeWire())
    await turn()
    assert waiting.done()
    assert not outbox.congested


async def test_drained_returns_at_once_below_the_mark() -> None:
    outbox, _ = an_outbox(low_water_bytes=100)
    outbox.put(a_packet(100))
    await asyncio.wait_for(outbox.drained(), 1)


async def test_who_waits_goes_on_when_the_queue_is_taken_away() -> None:
    outbox, _ = an_outbox(low_water_bytes=100)
    outbox.shut(held_bytes=500)
    outbox.put(a_packet(200))
    waiting = asyncio.create_task(outbox.drained())
    await turn()
    assert [packet.size + PACKET_BYTES for packet in outbox.take()] == [200]
    await turn()
    assert waiting.done()
