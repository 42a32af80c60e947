"""What messages, receipts and connecting cost on DynamoDB, in the units that the engine reports.

python -m bench.dynamodb_units [--seconds 5] [--inline 2048]

Up to ten messages a second each is durable before the next comes, so those are not waited for; a
hundred a second come on time. All reads are strongly consistent.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import uuid
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from tests.contract.asking import create, move, send, to_pair
from tests.engines.dynamodb import DynamoServer
from tests.processes import end_as_by_ctrl_c, reach_loopback_directly
from webchat.adapters.dynamodb import DynamoSettings, DynamoStore
from webchat.adapters.dynamodb.client import Capacity
from webchat.adapters.memory import LoopClock
from webchat.model import Draft, pair_conv, user_log
from webchat.ports.log import Append
from webchat.ports.positions import Move

WORDS: Final = """
about after again always because before better between coffee come could evening everybody find
first friday from good have here home just know late later little lunch maybe meeting monday more
morning nobody number office only people please question really right room saturday see should some
sorry soon still sunday talk thanks that there they think this time today tomorrow train want well
what when where which will with without would yesterday you
"""
TEXT_CHARS: Final = 100
MESSAGES: Final = 200
CONVERSATIONS: Final = 100
WITH_NEWS: Final = 10
SETTLE_S: Final = 0.3
CONV: Final = pair_conv("ann", "bob")


def said(sender: str, receiver: str) -> Append:
    """A message as a client sends it: 100 characters of text that nobody has said before."""
    words = " ".join(random.choices(WORDS.split(), k=TEXT_CHARS))
    msg_id = str(uuid.uuid4())
    envelope = {
        "EvtType": "message", "From": sender, "Originated": "", "To": receiver, "MsgID": msg_id,
        "Timestamp": 1_750_000_000, "Body": words[:TEXT_CHARS],
    }  # fmt: skip
    draft = Draft("message", sender, msg_id, msgspec.json.encode(envelope))
    return Append(pair_conv(sender, receiver), (draft,), moves_sender=True)


class Bench:
    """Stores on one table, their units counted together."""

    def __init__(self, settings: DynamoSettings) -> None:
        self._settings = settings
        self._capacity = Capacity()
        self.stores: list[DynamoStore] = []

    async def open(self, nodes: int) -> None:
        """So many nodes, which have the pair's log at hand."""
        for _ in range(nodes):
            store = DynamoStore(self._settings, LoopClock())
            await store.init()
            await store.open("open")
            store.client.capacity = self._capacity
            self.stores.append(store)
            await send(store, to_pair("ann", "bob", str(uuid.uuid4())))
            await send(store, to_pair("bob", "ann", str(uuid.uuid4())))

    async def close(self) -> None:
        """Close them."""
        for store in self.stores:
            await store.close()

    async def units(self, act: Callable[[], Awaitable[int]]) -> tuple[float, float]:
        """(read, write) units for each of the things that `act` says it did."""
        # What makes room for the next write comes after the answer; it must be counted here.
        await asyncio.sleep(SETTLE_S)
        read, write = self._capacity.read, self._capacity.write
        count = await act()
        await asyncio.sleep(SETTLE_S)
        return (self._capacity.read - read) / count, (self._capacity.write - write) / count


async def one_by_one(stores: Sequence[DynamoStore]) -> int:
    """Messages that each wait for the last, on the stores in turn."""
    for number in range(MESSAGES):
        people = ("ann", "bob") if number % 2 else ("bob", "ann")
        await send(stores[number % len(stores)], said(*people))
    return MESSAGES


async def on_time(stores: Sequence[DynamoStore], rate: float, seconds: float) -> int:
    """`rate` messages a second, whether or not the last is written."""
    loop = asyncio.get_running_loop()
    begin, asked = loop.time(), []
    for number in range(round(rate * seconds)):
        await asyncio.sleep(max(begin + number / rate - loop.time(), 0))
        people = ("ann", "bob") if number % 2 else ("bob", "ann")
        asked.append(send(stores[number % len(stores)], said(*people)))
    await asyncio.gather(*asked)
    return len(asked)


async def receipts(store: DynamoStore) -> int:
    """Display receipts, one after the other."""
    head = (await store.log.heads([CONV]))[CONV]
    seqs = range(head.last - 50, head.last)
    for seq in seqs:
        await move(store, Move(CONV, "eve", 0, seq))
    return len(seqs)


async def connect(store: DynamoStore) -> int:
    """What a device with 100 conversations, of which 10 have news, has read for it."""
    spans = await store.members.of_user("eve")
    convs = [span.conv for span in spans]
    heads = await store.log.heads([*convs, user_log("eve")])
    for conv in convs[:WITH_NEWS]:
        await store.log.read(conv, heads[conv].last - 3, 200)
    return 1


async def befriend(store: DynamoStore) -> int:
    """Give somebody 100 conversations of 20 messages each."""
    for number in range(CONVERSATIONS):
        await send(store, to_pair(f"friend{number}", "eve", "1"))
        asked = [send(store, said(f"friend{number}", "eve")) for _ in range(20)]
        await asyncio.gather(*asked)
    return CONVERSATIONS


async def groups_of_ten(store: DynamoStore) -> int:
    """Ten new groups of ten people."""
    for number in range(10):
        await send(store, create(f"group_{number}", *(f"u{each}" for each in range(10))))
    return 10


async def measure(settings: DynamoSettings, nodes: int, seconds: float) -> None:
    """Print one table for so many nodes."""
    bench = Bench(settings)
    await bench.open(nodes)
    first = bench.stores[0]
    rows: list[tuple[str, Callable[[], Awaitable[int]]]] = [
        ("message, 1 or 10 a second", lambda: one_by_one(bench.stores)),
        ("message, 100 a second", lambda: on_time(bench.stores, 100, seconds)),
    ]
    if nodes == 1:
        rows += [
            ("receipt", lambda: receipts(first)),
            ("new pair and 20 messages at once", lambda: befriend(first)),
            ("new group of 10 people", lambda: groups_of_ten(first)),
            ("connect, 100 conversations, 10 with news", lambda: connect(first)),
        ]
    for what, act in rows:
        read, write = await bench.units(act)
        print(f"| {nodes} | {what} | {read:.2f} | {write:.2f} |")
    await bench.close()


def main() -> None:
    """Measure on an engine of its own."""
    end_as_by_ctrl_c()
    reach_loopback_directly()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--inline", type=int, default=DynamoSettings("", "").inline_bytes)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, DynamoServer(Path(directory)) as server:
        print(f"engine {server.name}, inline_bytes {asked.inline}")
        print("| nodes | act | read units | write units |\n|---|---|---|---|")
        for nodes in (1, 2):
            settings = DynamoSettings(
                "eu-west-1", server.new_table(), server.endpoint,
                inline_bytes=asked.inline, kept_inline_bytes=asked.inline // 4,
            )  # fmt: skip
            asyncio.run(measure(settings, nodes, asked.seconds))


if __name__ == "__main__":
    main()
