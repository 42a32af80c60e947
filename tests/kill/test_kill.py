"""SIGKILL at random moments: what was acked is in the log once, in order, and arrived once.

`WEBCHAT_KILL_ROUNDS` sets how often (8; `make kill`: 50), `WEBCHAT_KILL_SEED` replays a run.
"""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import aiohttp
import pytest

from tests.kill.chatter import Receiver, Sender
from tests.kill.evidence import OPTIONS, SEED, log_of, say, settle
from tests.servers import Server
from tests.wire.people import Town, pair

ROUNDS = int(os.environ.get("WEBCHAT_KILL_ROUNDS", "8"))
LIVES_S = (0.02, 0.6)
"""How long a server lives in a round once the sender has joined, at least and at most."""


class Lives:
    """A server that is killed and started again, on the same data and port."""

    def __init__(self, data: Path) -> None:
        self.server = Server(data, *OPTIONS)
        self._changing = threading.Lock()

    def kill_and_start(self) -> None:
        """One round; blocks until the new server listens."""
        with self._changing:
            self.server.kill()
            self.server = Server(self.server.data, *OPTIONS, port=self.server.port)

    def end(self) -> None:
        """Stop for good, also while a round is still under way in a thread."""
        with self._changing:
            self.server.stop()


@pytest.mark.kill
@pytest.mark.timeout(120 + 5 * ROUNDS)
async def test_a_killed_server_loses_and_doubles_nothing(tmp_path: Path) -> None:
    say(f"\nkill: WEBCHAT_KILL_SEED={SEED} WEBCHAT_KILL_ROUNDS={ROUNDS}")
    lives = Lives(tmp_path)
    try:
        town = Town(lives.server, open_mode=False)
        a, b = town.person("a"), town.person("b")
        async with aiohttp.ClientSession() as http:
            sender = Sender(http, lives.server.url, a, town.token(a), b)
            receiver = Receiver(http, lives.server.url, b, town.token(b), pair(a, b))
            async with asyncio.TaskGroup() as group:
                running = [group.create_task(chatter.run()) for chatter in (sender, receiver)]
                await kill_again_and_again(lives, sender, random.Random(SEED))
                await settle(sender, receiver)
                for task in running:
                    task.cancel()
        stored = log_of(town, a, pair(a, b))
        await town.close()
    finally:
        lives.end()
    say(
        f"kill: {len(sender.sent)} sent, {len(sender.acked)} acked, {sender.resent} sent again, "
        f"{len(stored)} stored, {len(receiver.seen)} seen, {receiver.copies} copies, "
        f"{sender.connections} connections"
    )
    assert sender.connections >= ROUNDS
    assert stored == sender.sent
    assert sender.acked == {msg_id: seq for seq, msg_id in enumerate(stored, 1)}
    assert receiver.seen == stored
    assert check(tmp_path) == 0


async def kill_again_and_again(lives: Lives, sender: Sender, rng: random.Random) -> None:
    """Let the server live for a random while, and kill it, `ROUNDS` times."""
    for _ in range(ROUNDS):
        await sender.joined.wait()
        await asyncio.sleep(rng.uniform(*LIVES_S))
        sender.joined.clear()
        await asyncio.to_thread(lives.kill_and_start)


def check(data: Path) -> int:
    """The exit code of `webchat check`."""
    command = [sys.executable, "-m", "webchat", "check", "--data", str(data)]
    return subprocess.run(command, check=False).returncode
