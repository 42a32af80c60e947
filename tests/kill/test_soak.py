"""People chat while their connections are cut at random: nothing is lost, doubled or left behind.

`WEBCHAT_SOAK_S` sets how long (3; `make soak`: 600), `WEBCHAT_KILL_SEED` replays a run.
"""

from __future__ import annotations

import asyncio
import os
import random
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from tests.kill.chatter import Receiver, Sender
from tests.kill.evidence import OPTIONS, SEED, log_of, say, settle
from tests.servers import Server
from tests.wire.people import Town, pair

SOAK_S = float(os.environ.get("WEBCHAT_SOAK_S", "3"))
PAIRS = 4
BETWEEN_CUTS_S = (0.005, 0.1)
GROWTH_KIB = 64 * 1024
"""What the server may grow from the middle of a run to its end: caches fill, nothing else."""


@dataclass
class Couple:
    """A sender, its receiver, and their conversation."""

    sender: Sender
    receiver: Receiver
    conv: str


@pytest.mark.kill
@pytest.mark.timeout(120 + 2 * SOAK_S)
async def test_connections_that_are_cut_lose_nothing_and_leave_nothing(tmp_path: Path) -> None:
    say(f"\nsoak: WEBCHAT_KILL_SEED={SEED} WEBCHAT_SOAK_S={SOAK_S}")
    with Server(tmp_path, *OPTIONS) as server:
        town = Town(server, open_mode=False)
        async with aiohttp.ClientSession() as http:
            couples = [couple(town, http) for _ in range(PAIRS)]
            chatters = [c for pair in couples for c in (pair.sender, pair.receiver)]
            async with asyncio.TaskGroup() as group:
                running = [group.create_task(chatter.run()) for chatter in chatters]
                rng = random.Random(SEED)
                await cut_for(SOAK_S / 2, couples, rng)
                middle = memory_kib(server)
                await cut_for(SOAK_S / 2, couples, rng)
                grown = memory_kib(server) - middle
                for one in couples:
                    await settle(one.sender, one.receiver)
                for task in running:
                    task.cancel()
        sent = sum(len(one.sender.sent) for one in couples)
        cuts = sum(chatter.connections for chatter in chatters)
        say(f"soak: {sent} messages, {cuts} connections, {grown} KiB grown in the second half")
        for one in couples:
            assert log_of(town, one.sender.uid, one.conv) == one.sender.sent == one.receiver.seen
        assert cuts > len(chatters)
        assert grown < GROWTH_KIB
        await town.close()


def couple(town: Town, http: aiohttp.ClientSession) -> Couple:
    """Two new people."""
    a, b = town.person("a"), town.person("b")
    url, conv = town.server.url, pair(a, b)
    return Couple(
        Sender(http, url, a, town.token(a), b), Receiver(http, url, b, town.token(b), conv), conv
    )


async def cut_for(seconds: float, couples: list[Couple], rng: random.Random) -> None:
    """Cut a connection now and then."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        await asyncio.sleep(rng.uniform(*BETWEEN_CUTS_S))
        one = rng.choice(couples)
        rng.choice((one.sender, one.receiver)).cut()


def memory_kib(server: Server) -> int:
    """The server's resident memory."""
    status = Path(f"/proc/{server.process.pid}/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
