"""What `/metrics` serves is what docs/operations.md names, and the other way round."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry

from tests.chat.world import World
from tests.session.world import EngineWorld
from webchat.adapters.redis.stats import BusStats
from webchat.metrics import BusCollector, ChatCollector, NodesCollector
from webchat.ports.nodes import NodeRow
from webchat.transport.rest.guard import requests_counter

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"


class Others:
    """Other nodes, of which there are none; nothing was passed on to them."""

    requests = websockets = 0

    def living(self) -> Sequence[NodeRow]:
        return ()


async def test_each_metric_is_named_in_the_operators_guide() -> None:
    registry = CollectorRegistry()
    world = World()
    registry.register(ChatCollector(world.chat, EngineWorld().endpoint))
    registry.register(BusCollector(BusStats()))
    registry.register(NodesCollector(Others(), Others()))
    requests_counter(registry)
    served = {metric.name for metric in registry.collect()}
    named = re.findall(r"webchat_[a-z_]+", OPERATIONS.read_text(encoding="utf-8"))
    assert served == {re.sub("_(total|bucket)$", "", name) for name in named}
    await world.chat.close()
