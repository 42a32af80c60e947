"""SIGKILL at random moments: what was acked is in the log once, in order, and arrived once.

`WEBCHAT_KILL_ROUNDS` sets how often (8; `make kill`: 50), `WEBCHAT_KILL_SEED` replays a run.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import subprocess
import sys
import threading
from pathlib import Path

import aiohttp
import pytest

from tests.kill.chatter import Receiver, Sender
from tests.servers import Server
from tests.wire.people import Town, pair

ROUNDS = int(os.environ.get("WEBCHAT_KILL_ROUNDS", "8"))
SEED = os.environ.get("WEBCHAT_KILL_SEED") or secrets.token_hex(4)
LIVES_S = (0.02, 0.6)
"""How long a server lives in a round, at least and at most."""
CATCH_UP_S = 60.0
OPTIONS = (
    "--rate-burst=1000000",
    "--rate-events-per-s=1000000",
    "--backlog-entries=1000000",
    "--join-entries=1000000",
)


def say(words: str) -> None:
    """For `pytest -s`, and for the report of a failure."""
    sys.stdout.write(words + "\n")


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
                await kill_again_and_again(lives, random.Random(SEED))
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
    assert sender.connections >= ROUNDS // 2
    assert stored == sender.sent
    assert sender.acked == {msg_id: seq for seq, msg_id in enumerate(stored, 1)}
    assert receiver.seen == stored
    assert check(tmp_path) == 0


async def kill_again_and_again(lives: Lives, rng: random.Random) -> None:
    """Let the server live for a random while, and kill it, `ROUNDS` times."""
    for _ in range(ROUNDS):
        await asyncio.sleep(rng.uniform(*LIVES_S))
        await asyncio.to_thread(lives.kill_and_start)


async def settle(sender: Sender, receiver: Receiver) -> None:
    """Have everything acked, then everything seen."""
    async with asyncio.timeout(CATCH_UP_S):
        sender.finish()
        await sender.done.wait()
        receiver.finish(len(sender.acked))
        await receiver.done.wait()


def log_of(town: Town, uid: str, conv: str) -> list[str]:
    """The MsgIDs of a whole conversation by REST; fails on a gap."""
    ids: list[str] = []
    after: int | None = 0
    while after is not None:
        path = f"/conversations/{conv}/events?after={after}&limit=200"
        page = town.rest(uid, "GET", path).json()
        for entry in page["items"]:
            assert entry["Seq"] == entry["N"] == len(ids) + 1
            ids.append(entry["MsgID"])
        after = page["next"]
    return ids


def check(data: Path) -> int:
    """The exit code of `webchat check`."""
    command = [sys.executable, "-m", "webchat", "check", "--data", str(data)]
    return subprocess.run(command, check=False).returncode
