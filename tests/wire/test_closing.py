"""Connections that the server ends: with a code, in time, and never so that clients stay away."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.servers import Server
from tests.wire.clients import Refused
from tests.wire.people import PASSWORD, Device, Kind, Town, message

KINDS: list[Kind] = ["node-websocket", "node-polling", "python-websocket"]
WITHIN_S = 1.5
"""A second, as promised, and what a busy machine takes to hear of it."""


async def closed_with(device: Device, began_at: float) -> dict[str, Any]:
    """The `error` a device is closed with; fails if that took longer than promised."""
    error = await device.hear_error()
    await device.hear_close()
    assert time.monotonic() - began_at < WITHIN_S
    return error


@pytest.mark.parametrize("kind", KINDS)
async def test_logging_out_closes_the_sockets_of_that_login(town: Town, kind: Kind) -> None:
    a = town.person("a")
    other = town.log_in(a)
    leaving = await town.device(a, kind)
    staying = await town.device(a, token=other)
    began = time.monotonic()
    assert town.rest(a, "POST", "/logout").status_code == 204
    assert (await closed_with(leaving, began))["code"] == "session_revoked"
    await staying.tell(a, "still here")


async def test_revoking_a_session_closes_its_sockets(town: Town) -> None:
    a = town.person("a")
    stolen = await town.device(a, token=town.log_in(a))
    listed = town.rest(a, "GET", "/sessions").json()["items"]
    (foreign,) = [login["id"] for login in listed if not login["current"]]
    began = time.monotonic()
    assert town.rest(a, "DELETE", f"/sessions/{foreign}").status_code == 204
    assert (await closed_with(stolen, began))["code"] == "session_revoked"


async def test_a_new_password_ends_the_other_sessions(town: Town) -> None:
    a = town.person("a")
    own, other = await town.device(a), await town.device(a, token=town.log_in(a))
    began = time.monotonic()
    changed = {"old": PASSWORD, "new": "another good one"}
    assert town.rest(a, "POST", "/me/password", json=changed).status_code == 204
    assert (await closed_with(other, began))["code"] == "session_revoked"
    await own.tell(a, "still here")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_server_that_ends_says_so_and_exits_in_time(data: Path, kind: Kind) -> None:
    with Server(data, "--drain-s=10") as server:
        town = Town(server, open_mode=False)
        alice = await town.device(town.person("a"), kind)
        began = time.monotonic()
        server.terminate()
        error = await alice.hear_error()
        assert error["code"] == "server_draining"
        assert error["retry_after_ms"] >= 0
        await alice.hear_close()
        assert await asyncio.to_thread(server.stop) == 0
        assert time.monotonic() - began < 10
        await town.close()


async def test_what_was_acked_before_the_end_is_there_after_it(data: Path) -> None:
    with Server(data) as server:
        town = Town(server, open_mode=False)
        a, b = town.person("a"), town.person("b")
        alice = await town.device(a)
        sends = [asyncio.create_task(alice.chat(message(a, b, str(n)))) for n in range(200)]
        await sends[20]
        server.terminate()
        await alice.hear_close()
        acked = [task.result() for task in sends if task.done() and not task.exception()]
        for task in sends:
            task.cancel()
        await asyncio.gather(*sends, return_exceptions=True)
        stored = sorted(ack["Seq"] for ack in acked if ack and ack["ok"])
        token = town.token(b)
        await town.close()
        assert await asyncio.to_thread(server.stop) == 0
    with Server(data) as server:
        town = Town(server, open_mode=False)
        bob = await town.device(b, token=token)
        heard = [(await bob.hear("message"))["Seq"] for _ in stored]
        assert heard == stored == list(range(1, len(stored) + 1))
        await town.close()


async def test_a_server_with_nobody_on_it_exits_at_once(data: Path) -> None:
    with Server(data) as server:
        began = time.monotonic()
        assert await asyncio.to_thread(server.stop) == 0
        assert time.monotonic() - began < 3


@pytest.mark.parametrize("act", ["disable", "passwd"])
async def test_the_command_beside_a_server_closes_the_users_sockets(data: Path, act: str) -> None:
    with Server(data) as server:
        town = Town(server, open_mode=False)
        a, b = town.person("a"), town.person("b")
        alice, bob = await town.device(a), await town.device(b)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "webchat", "user", act, a, "--data", str(data),
            stdin=asyncio.subprocess.PIPE,
        )  # fmt: skip
        await process.communicate(b"another good one\n")
        assert process.returncode == 0
        assert (await closed_with(alice, time.monotonic()))["code"] == "session_revoked"
        with pytest.raises(Refused) as refused:
            await town.connect(a)
        assert refused.value.data == {"code": "unauthenticated"}
        await bob.tell(b, "still here")
        await town.close()
