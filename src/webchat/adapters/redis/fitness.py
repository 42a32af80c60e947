"""Logging in to a Redis, and whether it is one that a bus can rely on."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import hiredis

from webchat.adapters.redis.address import Address
from webchat.adapters.redis.link import Link
from webchat.ports.bus import BusRefused


@dataclass(frozen=True, slots=True)
class Fitness:
    """What Redis says of itself. `refusal`: why it cannot be used; `complaint`: why it serves, but
    not as it should; `run_id`: a new one at each start. "": there is nothing to say."""

    refusal: str = ""
    complaint: str = ""
    run_id: str = ""


async def log_in(link: Link, address: Address, name: str) -> None:
    """Authenticate, choose the database and name the connection for CLIENT LIST.

    Raises BusRefused and LinkLost.
    """
    try:
        if address.password:
            user = (address.username,) if address.username else ()
            await link.call("AUTH", *user, address.password)
        await link.call("PING")
        if address.db:
            await link.call("SELECT", address.db)
    except hiredis.ReplyError as error:
        raise BusRefused(_refused_login(str(error))) from None
    with suppress(hiredis.ReplyError):  # not every account may; it is a help for people alone
        await link.call("CLIENT", "SETNAME", name)


async def identify(link: Link) -> int:
    """Redis' number of this connection, 0 if it does not say. Raises LinkLost."""
    try:
        return int(await link.call("CLIENT", "ID"))
    except hiredis.ReplyError:
        return 0


async def fence(link: Link, number: int) -> None:
    """Make Redis forget another connection, with all that it sent and Redis has not read yet.

    Where the account may not, an unread publish can come after later ones. Raises LinkLost.
    """
    with suppress(hiredis.ReplyError):
        await link.call("CLIENT", "KILL", "ID", number)


async def check_rights(link: Link, channel: str) -> None:
    """Raises BusRefused unless this account may publish on `channel`; and LinkLost."""
    try:
        await link.call("PUBLISH", channel, b"")
    except hiredis.ReplyError as error:
        raise BusRefused(f"Redis refuses to publish on {channel!r}: {error}.") from None


async def examine(link: Link) -> Fitness:
    """What is true of Redis now; of one that tells this account nothing, no complaint.

    Raises LinkLost.
    """
    try:
        told = await link.call("INFO")
    except hiredis.ReplyError:
        return Fitness()
    lines = told.decode(errors="replace").splitlines()
    facts = dict(line.split(":", 1) for line in lines if ":" in line)
    return Fitness(_refusal(facts), _complaint(facts), facts.get("run_id", ""))


def _refusal(facts: Mapping[str, str]) -> str:
    """From the answer to INFO (https://redis.io/docs/latest/commands/info/)."""
    if facts.get("redis_mode") == "sentinel":
        return "This is a Sentinel, not a Redis that keeps data; name the master itself."
    if facts.get("cluster_enabled") == "1":
        return "This Redis is part of a cluster, which is not supported; use a single one."
    if facts.get("role") == "slave":
        master = f"{facts.get('master_host')}:{facts.get('master_port')}"
        return f"This Redis is a read-only replica of {master}; name the master."
    return ""


def _complaint(facts: Mapping[str, str]) -> str:
    policy = facts.get("maxmemory_policy", "noeviction")
    most_bytes = _number(facts, "maxmemory")
    if most_bytes == 0:
        return ""
    if policy == "noeviction":
        if _number(facts, "used_memory") < most_bytes:
            return ""
        return f"Redis is full (maxmemory {most_bytes} bytes): it takes no rates and no profiles."
    return (
        f"Redis evicts (maxmemory-policy {policy}): rates and the profile cache forget before "
        "their time; set noeviction."
    )


def _number(facts: Mapping[str, str], name: str) -> int:
    """0 if it is not said as a number: what only speaks as Redis does may say anything."""
    said = facts.get(name, "")
    return int(said) if said.isdecimal() else 0


def _refused_login(said: str) -> str:
    if said.startswith("NOAUTH"):
        return "it wants a password; put it into the URL: redis://:PASSWORD@HOST."
    if said.startswith(("WRONGPASS", "ERR invalid password")):
        return "it does not accept the user or the password of the URL."
    return f"it refuses the login: {said}"
