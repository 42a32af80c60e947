"""What people notice while one part is away: as little as docs/protocol.md, section 5, promises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests import http
from tests.cluster.backing import BUSY, Backing
from tests.cluster.cluster import Cluster, Node
from tests.cluster.device import Device
from tests.engines.partition import Partition
from tests.wire.people import Town, pair

PATIENCE_S = 20.0
RECOVERY_S = 5.0
"""Promise 6: within this time of a part being back, or of the other node comparing."""
SLACK_S = 3.0
"""What a busy machine may add."""
pytestmark = pytest.mark.timeout(240)


class Trio:
    """Three people who write to each other, each on a node of their own."""

    def __init__(self, devices: Sequence[Device], changed: asyncio.Event) -> None:
        self.devices = devices
        self._changed = changed

    async def write(self, sender: int, to: int) -> str:
        """One message; returns its MsgID, "" if too many are on their way."""
        a, b = self.devices[sender], self.devices[to]
        return await a.write(pair(a.uid, b.uid), b.uid) or ""

    async def heard(self, who: int, msg_id: str, within_s: float = PATIENCE_S) -> None:
        """Until a device has heard of that message, or has its ack."""
        await self.until(lambda: msg_id in self.devices[who].heard_at, within_s)

    async def until(self, holds: Callable[[], bool], within_s: float = PATIENCE_S) -> None:
        """Until something holds that a device may change."""
        async with asyncio.timeout(within_s):
            while not holds():
                self._changed.clear()
                await self._changed.wait()


@asynccontextmanager
async def trio(nodes: Sequence[Node]) -> AsyncIterator[Trio]:
    """Three people, live on three nodes."""
    town = Town(nodes[0].server, open_mode=False)
    uids = [town.person(name) for name in ("anna", "ben", "carl")]
    town.http.close()
    changed = asyncio.Event()
    async with aiohttp.ClientSession() as http:
        devices = [
            Device(
                http, node.url, uid, town.token(uid),
                [pair(uid, other) for other in uids if other != uid],
                changed=changed, silence_s=60.0,
            )
            for node, uid in zip(nodes, uids, strict=True)
        ]  # fmt: skip
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(device.run()) for device in devices]
            made = Trio(devices, changed)
            await made.until(lambda: all(device.live for device in devices))
            yield made
            for task in running:
                task.cancel()


async def readiness(node: Node, wanted: Callable[[Any], bool]) -> Any:
    """What `/readyz` says once it is `wanted`."""
    async with http.AsyncClient() as client, asyncio.timeout(PATIENCE_S):
        while True:
            report = (await client.get(f"{node.url}/readyz")).json()
            if wanted(report):
                return report
            await asyncio.sleep(0.05)


async def test_without_redis_messages_arrive_and_nobody_is_disconnected(
    tmp_path: Path, backing: Backing
) -> None:
    with Cluster(tmp_path, backing.options) as cluster:
        async with trio(cluster.nodes) as people:
            await people.heard(1, await people.write(0, 1))
            backing.parts["redis"].kill()
            for node in cluster.nodes:
                report = await readiness(node, lambda said: said["state"] == "degraded")
                assert report["ready"] is True
                assert report["checks"]["bus"]["ok"] is False
            sent = await people.write(0, 1)
            await people.heard(0, sent)
            await people.heard(1, sent, RECOVERY_S + SLACK_S)
            await asyncio.to_thread(backing.parts["redis"].start)
            for node in cluster.nodes:
                await readiness(node, lambda said: said["state"] == "ready")
            await people.heard(2, await people.write(1, 2))
            assert [device.connections for device in people.devices] == [1, 1, 1]


async def test_a_node_that_alone_lost_redis_is_whole_again_once_it_has_it_back(
    tmp_path: Path, backing: Backing
) -> None:
    async with Partition(backing.bus_port) as way:
        first = [f"--bus=redis://127.0.0.1:{way.port}"]
        cluster = await asyncio.to_thread(Cluster, tmp_path, backing.options, first=first)
        try:
            async with trio(cluster.nodes) as people:
                await people.heard(1, await people.write(0, 1))
                way.cut()
                await readiness(cluster.nodes[0], lambda said: said["state"] == "degraded")
                outwards, inwards = await people.write(0, 1), await people.write(2, 0)
                await people.heard(0, outwards)
                await people.heard(0, inwards, RECOVERY_S + SLACK_S)
                way.mend()
                await readiness(cluster.nodes[0], lambda said: said["state"] == "ready")
                await people.heard(1, outwards, RECOVERY_S + SLACK_S)
                assert [device.connections for device in people.devices] == [1, 1, 1]
        finally:
            await asyncio.to_thread(cluster.__exit__, None, None, None)


async def test_while_the_store_stands_still_sockets_stay_and_all_goes_on_after_it(
    tmp_path: Path, backing: Backing
) -> None:
    with Cluster(tmp_path, backing.options) as cluster:
        async with trio(cluster.nodes) as people:
            await people.heard(1, await people.write(0, 1))
            backing.parts["store"].pause()
            report = await readiness(cluster.nodes[0], lambda said: not said["ready"])
            assert report["checks"]["store"]["ok"] is False
            backing.parts["store"].resume()
            await readiness(cluster.nodes[0], lambda said: said["ready"])
            await people.heard(1, await people.write(0, 1))
            assert [device.connections for device in people.devices] == [1, 1, 1]


async def test_a_rolling_restart_under_load_loses_nothing(tmp_path: Path, backing: Backing) -> None:
    with Cluster(tmp_path, [*backing.options, *BUSY]) as cluster:
        async with trio(cluster.nodes) as people:
            writing = asyncio.create_task(_write_for_ever(people))
            for node, device in zip(cluster.nodes, people.devices, strict=True):
                before = device.connections
                assert await asyncio.to_thread(node.drain) == 0
                await asyncio.to_thread(node.start)
                await people.until(partial(_has_come_back, device, before))
            writing.cancel()
            await people.until(lambda: all(device.waits == 0 for device in people.devices))
            for sender in people.devices:
                for outbox in sender.writings():
                    receiver = next(d for d in people.devices if d.uid == outbox.to)
                    await people.until(partial(_has_heard_all, receiver, outbox.sent))


def _has_come_back(device: Device, before: int) -> bool:
    return device.connections > before


def _has_heard_all(device: Device, msg_ids: Sequence[str]) -> bool:
    return all(msg_id in device.heard_at for msg_id in msg_ids)


async def _write_for_ever(people: Trio) -> None:
    while True:
        for sender in range(3):
            await people.write(sender, (sender + 1) % 3)
        await asyncio.sleep(0.02)
