"""Another key for what nodes sign: at no time does one sign with what another does not take."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from tests.memory import ManualClock, MemoryStore, settle
from webchat.ports.nodes import Nodes
from webchat.service.node_keys import rotate

LEASE_MS = 3_000
LEASE_S = LEASE_MS / 1000


class Looking:
    """A node that looks at the keys at some time in each lease."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self.keys: Sequence[bytes] = ()

    async def look(self) -> None:
        self.keys = await self._nodes.shared_keys(b"the first")


@pytest.mark.parametrize("before", [[b"used"], [b"used", b"left"]])
async def test_while_keys_change_each_node_takes_what_any_other_signs(before: list[bytes]) -> None:
    clock = ManualClock()
    nodes = MemoryStore(clock).nodes
    await nodes.save_keys(before)
    early, late = Looking(nodes), Looking(nodes)
    await early.look()
    await late.look()
    rotating = asyncio.ensure_future(rotate(nodes, clock, LEASE_MS))
    while not rotating.done():
        await settle()
        for node in (early, late):
            await node.look()
            assert early.keys[0] in late.keys
            assert late.keys[0] in early.keys
        clock.advance(LEASE_S)
        await settle()
    await early.look()
    assert len(early.keys) == 1
    assert early.keys[0] not in before
