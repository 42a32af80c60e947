"""What a run of breaking things shows in the end, and how it can be run again."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys

from tests.kill.chatter import Receiver, Sender
from tests.wire.people import Town

SEED = os.environ.get("WEBCHAT_KILL_SEED") or secrets.token_hex(4)
CATCH_UP_S = 60.0
OPTIONS = (
    "--rate-burst=1000000",
    "--rate-events-per-s=1000000",
    "--backlog-entries=1000000",
    "--join-entries=1000000",
    "--sqlite-journal-entries=200",
    "--sqlite-journal-keys=300",
)


def say(words: str) -> None:
    """For `pytest -s`, and for the report of a failure."""
    sys.stdout.write(words + "\n")


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
    messages = 0
    after: int | None = 0
    while after is not None:
        path = f"/conversations/{conv}/events?after={after}&limit=200"
        page = town.rest(uid, "GET", path).json()
        for entry in page["items"]:
            messages += entry["EvtType"] == "message"
            assert (entry["Seq"], entry["N"]) == (len(ids) + 1, messages)
            ids.append(entry["MsgID"])
        after = page["next"]
    return ids
