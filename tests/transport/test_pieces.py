"""A peer that sends much at once by WebSocket: others have their turns, and nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise, takewhile

import pytest

from tests.memory import ManualClock, settle
from tests.transport.site import ENGINE, running
from tests.transport.wire import frame, text, websocket
from webchat.protocol.engineio import Packet
from webchat.session.deadlines import Deadlines
from webchat.session.pacing import Sharing
from webchat.transport.websocket import WebSocket, WebSocketV3

_READ_BYTES = 256 * 1024
_MOST_A_TURN = 1_500
_TURNS_OF_A_READ = 200


class Tcp(asyncio.Transport):
    """A TCP connection that says whether it is read."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.is_read = True
        self.is_over = False

    def pause_reading(self) -> None:
        assert self.is_read
        self.is_read = False

    def resume_reading(self) -> None:
        assert not self.is_read
        assert not self.is_over
        self.is_read = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.is_over
        self.written.append(bytes(data))

    def write_eof(self) -> None:
        assert not self.is_over

    def is_closing(self) -> bool:
        return self.is_over

    def close(self) -> None:
        self.is_over = True


class Heard:
    """A receiver that keeps what it was told, and does `act` as it hears `at`."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.is_lost = False
        self.at = ""
        self.act: Callable[[], None] | None = None

    def texts(self, events: Sequence[object]) -> int:
        assert not self.is_lost
        texts = list(takewhile(lambda event: isinstance(event, str), events))
        self.heard += map(str, texts)
        if self.act is not None and self.at in texts:
            self.act()
        return len(texts)

    def binary(self, data: bytes) -> None:
        raise AssertionError

    def lost(self) -> None:
        self.is_lost = True

    def pause(self, held_bytes: int) -> None:
        raise AssertionError

    def resume(self) -> None:
        raise AssertionError


@pytest.fixture
def peers() -> set[object]:
    return set()


@pytest.fixture
def tcp() -> Tcp:
    return Tcp()


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
async def turns() -> Sharing:
    return Sharing(asyncio.get_running_loop().call_soon, lambda: 0.0)


@pytest.fixture
def socket(tcp: Tcp, heard: Heard, peers: set[object], turns: Sharing) -> Iterator[WebSocket]:
    closing: Deadlines[WebSocket] = Deadlines(ManualClock(), 5.0, WebSocket.abort)
    socket = WebSocket(tcp, peers, closing, turns, 1_000_000)
    socket.receiver = heard
    yield socket
    closing.stop()


def _numbered() -> tuple[list[str], bytes]:
    """As many short texts as one read may bring."""
    texts = [f"4{number}" for number in range(_READ_BYTES // 13)]
    return texts, b"".join(map(text, texts))


async def _turns_until_read(tcp: Tcp) -> int:
    turns = 0
    while not tcp.is_read:
        turns += 1
        await asyncio.sleep(0)
    return turns


async def test_of_many_packets_in_one_read_each_turn_of_the_loop_has_its_share(
    socket: WebSocket, tcp: Tcp, heard: Heard
) -> None:
    texts, flood = _numbered()
    socket.data_received(flood)
    counts = [0, len(heard.heard)]
    while not tcp.is_read:
        await asyncio.sleep(0)
        counts.append(len(heard.heard))
    assert max(after - before for before, after in pairwise(counts)) <= _MOST_A_TURN
    assert heard.heard == texts


@pytest.mark.parametrize("form", [WebSocket, WebSocketV3])
async def test_the_answer_to_the_request_goes_with_what_is_said_first(
    form: type[WebSocket], tcp: Tcp, peers: set[object], turns: Sharing
) -> None:
    closing: Deadlines[WebSocket] = Deadlines(ManualClock(), 5.0, WebSocket.abort)
    socket = form(tcp, peers, closing, turns, 1_000, b"answer ")
    for each in (Packet(b"4one"), Packet(b"4other")):
        socket.send([each])
    assert tcp.written == [b"answer \x81\x044one", b"\x81\x064other"]


async def test_a_few_packets_are_dealt_with_at_once(
    socket: WebSocket, tcp: Tcp, heard: Heard
) -> None:
    socket.data_received(text("4" + "x" * 4_000) + text("4b"))
    assert heard.heard[1] == "4b"
    assert tcp.is_read


async def test_a_long_message_takes_no_more_turns_than_it_takes_reads(
    socket: WebSocket, tcp: Tcp, heard: Heard
) -> None:
    said = "4" + "x" * 900_000
    data = text(said)
    for at in range(0, len(data), _READ_BYTES):
        socket.data_received(data[at : at + _READ_BYTES])
        assert await _turns_until_read(tcp) <= 1
    assert heard.heard == [said]


async def test_what_came_before_the_end_is_heard_before_the_end(
    socket: WebSocket, tcp: Tcp, heard: Heard, peers: set[object]
) -> None:
    texts, flood = _numbered()
    socket.data_received(flood)
    tcp.is_over = True
    socket.connection_lost(ConnectionResetError())
    assert not peers
    await settle(_TURNS_OF_A_READ)
    assert heard.heard == texts
    assert heard.is_lost


@pytest.mark.parametrize("last", [frame(0x88, b""), frame(0x83, b"")], ids=["close", "breach"])
async def test_a_close_or_a_breach_behind_many_packets_is_answered(
    socket: WebSocket, tcp: Tcp, heard: Heard, last: bytes
) -> None:
    texts, flood = _numbered()
    socket.data_received(flood + last + text("4after"))
    await settle(_TURNS_OF_A_READ)
    assert heard.heard == texts
    assert heard.is_lost
    assert tcp.written[0][0] == 0x88


async def test_a_breach_behind_what_a_lost_connection_brought_harms_nothing(
    socket: WebSocket, tcp: Tcp, heard: Heard
) -> None:
    texts, flood = _numbered()
    socket.data_received(flood + frame(0x83, b""))
    tcp.is_over = True
    socket.connection_lost(None)
    await settle(_TURNS_OF_A_READ)
    assert heard.heard == texts
    assert heard.is_lost


async def test_of_a_connection_closed_by_us_the_close_is_still_read(
    socket: WebSocket, tcp: Tcp, heard: Heard
) -> None:
    _, flood = _numbered()
    socket.data_received(flood + frame(0x88, b""))
    taken = len(heard.heard)
    socket.close(1002, "protocol_error")
    await settle(_TURNS_OF_A_READ)
    assert len(heard.heard) == taken
    assert tcp.is_over


async def test_of_many_peers_that_send_much_a_turn_has_no_more_than_of_one(
    peers: set[object], turns: Sharing
) -> None:
    closing: Deadlines[WebSocket] = Deadlines(ManualClock(), 5.0, WebSocket.abort)
    texts, flood = _numbered()
    heard = [Heard() for _ in range(20)]
    tcps = [Tcp() for _ in heard]
    for each, tcp in zip(heard, tcps, strict=True):
        socket = WebSocket(tcp, peers, closing, turns, 1_000_000)
        socket.receiver = each
        socket.data_received(flood)
    await settle(2)
    counts = [sum(len(each.heard) for each in heard)]
    while not all(tcp.is_read for tcp in tcps):
        await asyncio.sleep(0)
        counts.append(sum(len(each.heard) for each in heard))
    assert max(after - before for before, after in pairwise(counts)) <= _MOST_A_TURN / 4
    assert all(each.heard == texts for each in heard)


async def test_who_is_held_is_not_read(socket: WebSocket, tcp: Tcp, heard: Heard) -> None:
    socket.hold()
    socket.hold()
    assert not tcp.is_read
    socket.release()
    socket.release()
    assert tcp.is_read


@pytest.mark.parametrize("turns_before", [0, 1, 2, 50])
async def test_what_came_before_a_hold_waits_and_is_not_lost(
    socket: WebSocket, tcp: Tcp, heard: Heard, turns_before: int
) -> None:
    texts, flood = _numbered()
    socket.data_received(flood)
    await settle(turns_before)
    socket.hold()
    taken = len(heard.heard)
    await settle(_TURNS_OF_A_READ)
    assert len(heard.heard) == taken < len(texts)
    socket.release()
    socket.hold()
    socket.release()
    await settle(_TURNS_OF_A_READ)
    assert heard.heard == texts
    assert tcp.is_read


@pytest.mark.parametrize("first", [0, -1], ids=["the first piece", "the last piece"])
async def test_a_hold_in_the_midst_of_a_piece_is_for_what_follows(
    socket: WebSocket, tcp: Tcp, heard: Heard, first: int
) -> None:
    texts, flood = _numbered()
    heard.at = texts[first]
    heard.act = socket.hold
    socket.data_received(flood)
    await settle(_TURNS_OF_A_READ)
    assert texts[first] in heard.heard
    assert not tcp.is_read
    socket.release()
    await settle(_TURNS_OF_A_READ)
    assert heard.heard == texts
    assert tcp.is_read


async def test_of_who_is_lost_while_held_all_that_came_is_heard(
    socket: WebSocket, tcp: Tcp, heard: Heard
) -> None:
    texts, flood = _numbered()
    socket.data_received(flood)
    socket.hold()
    await settle()
    tcp.is_over = True
    socket.connection_lost(ConnectionResetError())
    socket.hold()
    await settle(_TURNS_OF_A_READ)
    assert heard.heard == texts
    assert heard.is_lost


async def test_who_is_lost_while_held_with_nothing_to_come_is_lost_at_once(
    socket: WebSocket, tcp: Tcp, heard: Heard
) -> None:
    socket.hold()
    tcp.is_over = True
    socket.connection_lost(None)
    assert heard.is_lost
    socket.release()


async def test_who_is_closed_while_held_is_read_for_its_answer(
    socket: WebSocket, tcp: Tcp, heard: Heard
) -> None:
    socket.hold()
    socket.close(1012, "server_draining")
    assert tcp.is_read
    socket.data_received(frame(0x88, b""))
    assert tcp.is_over


async def test_many_packets_come_back_in_order_over_a_real_connection() -> None:
    texts = [f"4{number}" for number in range(30_000)]
    async with running() as site, await websocket(site.port, ENGINE) as wire:
        await wire.message()
        wire.write(b"".join(map(text, texts)))
        assert [await wire.message() for _ in texts] == texts
        wire.say("4" + "x" * 900_000)
        assert len(await wire.message()) == 900_001
