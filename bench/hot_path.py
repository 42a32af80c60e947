"""What a message costs on the event loop's thread, from its frame to the frames that answer it.

A node without sockets (`tests/costs/world.py`) is fed frames, eight of a sender in one read; the
store's part is left out. Shown is the best of many bursts, in µs of CPU time a message: on the way
in (frame, packet, envelope, checks, append), and out (passed on, acked, framed, written).

    python -m bench.hot_path
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial

from tests.costs.world import Node, Person, client_frame, event, message
from tests.memory import settle
from webchat.model import Position, seal
from webchat.ports.log import Append, AppendDone, Appended
from webchat.ports.positions import Moved

PAIRS, IN_FLIGHT = 25, 8
BURSTS = 30
"""More would meet the limit of the rate."""
AT_MS = 1_700_000_000_000


class Queue:
    """Appends that wait for an outcome, which is what a store would say."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Append, AppendDone]] = []
        self._last: dict[str, int] = {}

    def append(self, request: Append, done: AppendDone) -> None:
        """Keep it until `outcomes`."""
        self._waiting.append((request, done))

    def outcomes(self) -> list[tuple[AppendDone, Appended]]:
        """Of all that wait, in order."""
        waiting, self._waiting = self._waiting, []
        return [(done, self._appended(request)) for request, done in waiting]

    def _appended(self, request: Append) -> Appended:
        conv, (draft,) = request.conv, request.drafts
        seq = self._last[conv] = self._last.get(conv, 1) + 1  # the first one made the pair
        before, after = Position(seq - 1, seq - 1, seq - 1), Position(seq, seq, seq)
        moved = Moved(conv, draft.sender, before, after)
        return Appended((seal(draft, conv, seq, seq, AT_MS),), (), True, moved)


async def pairs(node: Node) -> list[tuple[Person, Person]]:
    """People who have a conversation with each other."""
    people = [await node.person(f"person{number:03}") for number in range(2 * PAIRS)]
    for sender, receiver in zip(people[::2], people[1::2], strict=True):
        sender.asks(1, "chat", message(sender.uid, receiver.uid, "first"))
        await settle()
    return list(zip(people[::2], people[1::2], strict=True))


def reads_of(people: Sequence[tuple[Person, Person]], number: int) -> list[tuple[Person, bytes]]:
    """What each sender's connection reads next."""
    ids = [f"m{at}" for at in range(number * IN_FLIGHT, (number + 1) * IN_FLIGHT)]
    return [
        (one, b"".join(_frame(2 + at, one.uid, other.uid, each) for at, each in enumerate(ids)))
        for one, other in people
    ]


def _frame(ack_id: int, sender: str, receiver: str, msg_id: str) -> bytes:
    return client_frame(event(ack_id, "chat", message(sender, receiver, msg_id)))


async def us_each(act: Callable[[], object]) -> float:
    """What `act` and the turn of the loop after it take, in µs a message."""
    gc.collect()
    before = time.thread_time()
    act()
    await asyncio.sleep(0)
    return (time.thread_time() - before) * 1e6 / (PAIRS * IN_FLIGHT)


async def measure() -> tuple[float, float]:
    """In and out."""
    node, queue = Node(), Queue()
    people = await pairs(node)
    node.store.log.append = queue.append  # type: ignore[method-assign]
    way_in, way_out = float("inf"), float("inf")
    for number in range(BURSTS):
        reads = reads_of(people, number)
        way_in = min(way_in, await us_each(partial(_read, reads)))
        outcomes = queue.outcomes()
        way_out = min(way_out, await us_each(partial(_tell, outcomes)))
        await settle()
    return way_in, way_out


def _read(reads: Sequence[tuple[Person, bytes]]) -> None:
    for person, data in reads:
        person.socket.data_received(data)


def _tell(outcomes: Sequence[tuple[AppendDone, Appended]]) -> None:
    for done, outcome in outcomes:
        done(outcome)


if __name__ == "__main__":
    WAY_IN, WAY_OUT = asyncio.run(measure())
    print(f"CPython {sys.version.split()[0]}: in {WAY_IN:.2f} us, out {WAY_OUT:.2f} us a message")
