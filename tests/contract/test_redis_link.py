"""What a connection to Redis has on its way until it is answered, by a clock that tests move."""

from __future__ import annotations

import asyncio

from tests.memory import ManualClock
from webchat.adapters.redis.link import Link, Reply

TIMEOUT_S = 0.5
MEBIBYTE = 1024 * 1024
MOST = 32 * MEBIBYTE
PONG = b"+PONG\r\n"


class Wire(asyncio.Transport):
    """A connection to nobody."""

    def __init__(self, link: Link) -> None:
        super().__init__()
        self.is_open = True
        self.written = 0
        link.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += len(data)

    def abort(self) -> None:
        self.is_open = False


class Asking:
    """A link, and what came of what was asked."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.link = Link(self.clock, TIMEOUT_S, MOST)
        self.wire = Wire(self.link)
        self.replies: list[Reply] = []

    async def ask(self, size: int) -> None:
        """With so many bytes."""
        self.link.send(bytes(size), self.replies.append)
        await asyncio.sleep(0)


async def test_a_burst_is_written_as_fast_as_redis_answers() -> None:
    asking = Asking()
    for _ in range(20):
        asking.link.send(bytes(MEBIBYTE), asking.replies.append)
    await asyncio.sleep(0)
    for answered in range(20):
        assert asking.wire.written == min((4 + answered), 20) * MEBIBYTE
        asking.clock.advance(TIMEOUT_S / 8)
        asking.link.data_received(PONG)
    assert asking.replies == [b"PONG"] * 20
    assert asking.wire.is_open


async def test_what_waits_behind_others_fails_with_them_in_time() -> None:
    asking = Asking()
    for _ in range(20):
        asking.link.send(bytes(MEBIBYTE), asking.replies.append)
    await asyncio.sleep(0)
    asking.clock.advance(2 * TIMEOUT_S)
    assert [str(reply) for reply in asking.replies] == ["Redis did not answer within 500 ms"] * 20
    assert not asking.wire.is_open


async def test_what_waits_has_a_bound() -> None:
    asking = Asking()
    for _ in range(33):
        asking.link.send(bytes(MEBIBYTE), asking.replies.append)
    await asyncio.sleep(0)
    assert [str(reply) for reply in asking.replies] == [
        f"more than {MOST} bytes wait for Redis"
    ] * 33


async def test_what_was_before_the_last_answered_question_was_asked_has_been_heard() -> None:
    asking = Asking()
    await asking.ask(1)
    asking.clock.advance(0.1)
    await asking.ask(1)
    asking.clock.advance(0.1)
    asking.link.data_received(PONG)
    assert asking.link.heard_until_s == 0.0
    asking.link.data_received(PONG)
    assert asking.link.heard_until_s == 0.1
