"""Nodes, Redis and the store die, stand still and come back at random while people chat: every
acked message is in its log once, and came once and in order to every device entitled to it.

`WEBCHAT_CHAOS_S` sets for how long (20; `make chaos`: 300), `WEBCHAT_KILL_SEED` replays the dice.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import aiohttp
import pytest

from tests.cluster.backing import BUSY, Backing
from tests.cluster.chaos import Chaos, counterpart, talk
from tests.cluster.cluster import Cluster
from tests.cluster.device import Device
from tests.kill.evidence import SEED, log_of, say
from tests.wire.groups import act
from tests.wire.people import Town, pair

CHAOS_S = float(os.environ.get("WEBCHAT_CHAOS_S", "20"))
PEOPLE = 6
CATCH_UP_S = 60.0
"""Within which all is everywhere once all parts are back, on a busy machine, too. How soon it is
(docs/protocol.md, 5) is said in the end, and not checked."""
SILENCE_S = 3.0
OPTIONS = (*BUSY, "--ping-interval-ms=1000", "--ping-timeout-ms=1000")


@pytest.mark.timeout(240 + 2 * CHAOS_S)
async def test_nothing_is_lost_or_doubled_whatever_dies(tmp_path: Path, backing: Backing) -> None:
    say(f"\nchaos: WEBCHAT_KILL_SEED={SEED} WEBCHAT_CHAOS_S={CHAOS_S}")
    rng = random.Random(SEED)
    with Cluster(tmp_path, [*backing.options, *OPTIONS]) as cluster:
        chaos = Chaos(backing.parts | {node.name: node for node in cluster.nodes}, rng)
        town = Town(cluster, open_mode=False)
        async with aiohttp.ClientSession() as http:
            changed = asyncio.Event()
            devices = await people(town, http, changed)
            async with asyncio.TaskGroup() as group:
                running = [group.create_task(device.run()) for device in devices]
                await until(changed, lambda: all(device.live for device in devices))
                talking = group.create_task(talk(devices, rng, pause_s=0.01))
                await chaos.reign(CHAOS_S)
                talking.cancel()
                await settle(devices, changed)
                took = await everybody_hears(devices, changed)
                for task in running:
                    task.cancel()
        stored = {conv: log_of_all(town, devices, conv) for conv in convs_of(devices)}
        town.http.close()
    report(chaos, devices, took)
    check(devices, stored)


async def people(town: Town, http: aiohttp.ClientSession, changed: asyncio.Event) -> list[Device]:
    """Two devices each of some people, in pairs and all in one group."""
    uids = [town.person(f"p{number}") for number in range(PEOPLE)]
    group = f"group_{uids[0]}"
    maker = await town.device(uids[0])
    ack = await maker.chat(act("create", group, uids[0], uids[1:]))
    assert ack["ok"] is True, ack
    await town.leave(maker)
    devices = []
    for number, uid in enumerate(uids):
        convs = [group, pair(uid, uids[number ^ 1])]
        for _ in range(2):
            device = Device(
                http, town.server.url, uid, town.token(uid), convs,
                changed=changed, silence_s=SILENCE_S,
            )  # fmt: skip
            device.seen[group].append("")  # The group's `create`, which all of them begin after.
            devices.append(device)
    return devices


def convs_of(devices: Sequence[Device]) -> set[str]:
    """All conversations that anybody follows."""
    return {conv for device in devices for conv in device.seen}


def log_of_all(town: Town, devices: Sequence[Device], conv: str) -> list[str]:
    """A conversation's MsgIDs by REST."""
    uid = next(device.uid for device in devices if conv in device.seen)
    return log_of(town, uid, conv)


async def until(changed: asyncio.Event, holds: Callable[[], bool]) -> None:
    """Return once `holds`, which is asked again after each change."""
    async with asyncio.timeout(CATCH_UP_S):
        while not holds():
            changed.clear()
            await changed.wait()


async def settle(devices: Sequence[Device], changed: asyncio.Event) -> None:
    """Until every message has its ack and every device has every entry."""
    await until(changed, lambda: all(device.live and device.waits == 0 for device in devices))
    ends = {conv: max(len(d.seen.get(conv, ())) for d in devices) for conv in convs_of(devices)}
    await until(
        changed,
        lambda: all(len(seen) >= ends[conv] for d in devices for conv, seen in d.seen.items()),
    )


async def everybody_hears(devices: Sequence[Device], changed: asyncio.Event) -> float:
    """How many seconds one more message of each device takes to reach all that follow it."""
    began = time.monotonic()
    sent: dict[str, str] = {}
    for device in devices:
        for conv in device.seen:
            msg_id = await device.write(conv, counterpart(device.uid, conv))
            assert msg_id is not None
            sent[msg_id] = conv
    awaited = [(d, msg_id) for msg_id, conv in sent.items() for d in devices if conv in d.seen]
    await until(changed, lambda: all(msg_id in device.heard_at for device, msg_id in awaited))
    return time.monotonic() - began


def recoveries(chaos: Chaos, devices: Sequence[Device]) -> list[tuple[str, float]]:
    """For each incident: how long after it all was everywhere that had been sent until then."""
    travels = [
        (device.sent_at[msg_id], max(d.heard_at[msg_id] for d in devices if writing.conv in d.seen))
        for device in devices
        for writing in device.writings()
        for msg_id in writing.sent
    ]
    found = []
    for incident in chaos.incidents:
        there = max(there for sent, there in travels if sent <= incident.healed_at)
        name = f"{incident.part} {incident.how} for {incident.away_s:.1f} s"
        found.append((name, max(0.0, there - incident.healed_at)))
    return found


def report(chaos: Chaos, devices: Sequence[Device], took: float) -> None:
    """Say what happened, and how soon all was well again."""
    sent = sum(len(writing.sent) for device in devices for writing in device.writings())
    copies, resent = sum(d.copies for d in devices), sum(d.resent for d in devices)
    refused = sum(sum(d.refused.values()) for d in devices)
    say(
        f"chaos: {len(chaos.incidents)} incidents, {sent} messages of {len(devices)} devices, "
        f"{resent} sent again, {refused} refused, {copies} copies, "
        f"{sum(d.connections for d in devices)} connections; in the end to all in {took:.2f} s"
    )
    times = recoveries(chaos, devices)
    for name, seconds in times:
        say(f"chaos: {name}: what was on its way was everywhere {seconds:.2f} s after it was back")
    if times:
        took_s = sorted(seconds for _, seconds in times)
        say(f"chaos: recovery median {median(took_s):.2f} s, longest {took_s[-1]:.2f} s")


def check(devices: Sequence[Device], stored: dict[str, list[str]]) -> None:
    """Every device has exactly what is stored, and what was acked is stored once, at its place."""
    for device in devices:
        for conv, seen in device.seen.items():
            assert seen == stored[conv], (device.uid, conv)
        for writing in device.writings():
            log = stored[writing.conv]
            assert sorted(writing.acked) == sorted(writing.sent)
            assert [log[seq - 1] for seq in writing.acked.values()] == list(writing.acked)
            assert [msg_id for msg_id in log if msg_id in writing.acked] == writing.sent
