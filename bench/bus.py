"""What the bus on Redis costs: CPU per publish and per topic, of a node and of Redis itself.

Waves of 1, 8 and 64 publishes are sent, each in one turn of the loop, the next one when all of a
wave are done; once with nobody who hears, once with a second node in this same process, so that
the difference is what hearing costs; and once by redis-py's pipeline of as many. Then topics are
held, all at once, and held again after Redis ended the connections.

    python -m bench.bus [--publishes 20000] [--bytes 250] [--topics 10000]
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import redis.asyncio
import uvloop

from tests.engines.redis import RedisServer
from tests.processes import end_as_by_ctrl_c
from webchat.adapters.memory import LoopClock
from webchat.adapters.redis import RedisBus, RedisBusSettings

TOPIC = "group_of_a_usual_length"
CHANNEL = "webchat:" + TOPIC
WAVES = (1, 8, 64)
WARM_UP = 500
SETTINGS = RedisBusSettings(ack_timeout_ms=5_000)
"""Patient, since a busy machine is no outage."""

Wave = Callable[[int], Awaitable[None]]


@dataclass(frozen=True)
class Cost:
    """Microseconds for one: CPU of this process, CPU of Redis, time."""

    node_us: float
    redis_us: float
    wall_us: float

    def __str__(self) -> str:
        return f"{self.node_us:12.1f}{self.redis_us:12.1f}{self.wall_us:12.1f}"


class Listener:
    """Hears, and is told when the bus is back."""

    def __init__(self) -> None:
        self.heard = 0
        self.back = asyncio.Event()

    def published(self, topic: str, payload: bytes) -> None:
        self.heard += 1

    def lost(self, _why: str, _deaf_s: float) -> None:
        self.back.clear()

    def regained(self) -> None:
        self.back.set()


class Meter:
    """What passes between its making and `cost`."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self._begun = self._now()

    def cost(self, count: int) -> Cost:
        """Since then, for each of `count`."""
        pairs = zip(self._begun, self._now(), strict=True)
        return Cost(*((end - begin) / count * 1e6 for begin, end in pairs))

    def _now(self) -> tuple[float, float, float]:
        return time.process_time(), self._server.cpu_s(), time.perf_counter()


async def open_bus(server: RedisServer) -> tuple[RedisBus, Listener]:
    """A node's end."""
    bus, listener = RedisBus(server.url, SETTINGS, LoopClock(), "bench"), Listener()
    bus.listen(listener)
    await bus.open()
    return bus, listener


async def by_bus(bus: RedisBus, payload: bytes, size: int) -> None:
    """One wave."""
    finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    left = size

    def done(outcome: int | Exception) -> None:
        nonlocal left
        if isinstance(outcome, Exception):
            raise outcome
        left -= 1
        if not left:
            finished.set_result(None)

    for _ in range(size):
        bus.publish((TOPIC,), payload, done)
    await finished


async def by_redis_py(client: redis.asyncio.Redis, payload: bytes, size: int) -> None:
    """One wave."""
    pipeline = client.pipeline(transaction=False)
    for _ in range(size):
        pipeline.publish(CHANNEL, payload)
    await pipeline.execute()


async def publishes(server: RedisServer, wave: Wave, count: int, title: str) -> None:
    """Print a line for each size of a wave, of publishes or of what else is asked."""
    for size in WAVES:
        for _ in range(WARM_UP // size):
            await wave(size)
        waves = count // size // (8 if size == 1 else 1)
        meter = Meter(server)
        for _ in range(waves):
            await wave(size)
        print(f"{title:40}{size:10}{meter.cost(waves * size)}")


async def by_asking(bus: RedisBus, size: int) -> None:
    """One wave of profiles that are read."""
    await asyncio.gather(*(bus.ask("GET", "webchat:profile:ann") for _ in range(size)))


async def topics(server: RedisServer, count: int) -> None:
    """Hold many topics, and again after an outage."""
    bus, listener = await open_bus(server)
    names = [f"user:{number:08}" for number in range(count)]
    meter = Meter(server)
    await asyncio.gather(*map(bus.subscribe, names))
    print(f"{'hold a topic':40}{count:10}{meter.cost(count)}")
    meter = Meter(server)
    server.command("CLIENT", "KILL", "TYPE", "pubsub")
    await listener.back.wait()
    print(f"{'hold it again, with the reconnect':40}{count:10}{meter.cost(count)}")
    await bus.close()


async def measure(options: argparse.Namespace) -> None:
    """Print the table."""
    payload = bytes(options.bytes)
    print(f"{'µs each':40}{'at once':>10}{'node CPU':>12}{'Redis CPU':>12}{'time':>12}")
    with RedisServer() as server:
        bus, _ = await open_bus(server)

        async def wave(size: int) -> None:
            await by_bus(bus, payload, size)

        await publishes(server, wave, options.publishes, "publish, nobody hears")
        other, _ = await open_bus(server)
        await other.subscribe(TOPIC)
        await publishes(server, wave, options.publishes, "publish, and hear it on another node")
        await other.close()

        async def reads(size: int) -> None:
            await by_asking(bus, size)

        await publishes(server, reads, options.publishes, "read a profile")
        await bus.close()
        async with redis.asyncio.from_url(server.url) as client:

            async def rival(size: int) -> None:
                await by_redis_py(client, payload, size)

            await publishes(server, rival, options.publishes, "redis-py, nobody hears")
        await topics(server, options.topics)


def main() -> None:
    """Read the options."""
    end_as_by_ctrl_c()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--publishes", type=int, default=20_000)
    parser.add_argument("--bytes", type=int, default=250)
    parser.add_argument("--topics", type=int, default=10_000)
    uvloop.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
