"""How much memory an idle device takes: a bound that a change has to raise on purpose.

Counted is what the product's own code has allocated and still holds: not the stores' (so not the
text of a ConvID, either) nor the TCP connection's. The size of an object is the same on every
machine with the same version of Python.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import pytest

from tests.contract.asking import send, to_pair
from tests.costs.world import Node, held_bytes
from webchat.chat.followed import Arrival
from webchat.model import Head

_PEOPLE = 60
_SLACK = 0.85


@pytest.fixture
def traced() -> Iterator[None]:
    """Allocations are traced while the test runs."""
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize(
    ("conversations", "bound_bytes"), [(0, 1_400), (20, 3_520)], ids=["of none", "of twenty"]
)
async def test_an_idle_device_with_conversations(conversations: int, bound_bytes: int) -> None:
    node = Node()
    people = [f"person-{at:03}" for at in range(_PEOPLE)]
    for uid in people:
        for at in range(conversations):  # each with somebody who is not here
            await send(node.store, to_pair(f"{uid}-peer-{at}", uid, "m"))
    devices = [await node.person(people[0])]  # what is made once is not a device's
    before = held_bytes()
    devices += [await node.person(uid) for uid in people[1:]]
    each_bytes = (held_bytes() - before) / (len(devices) - 1)
    assert _SLACK * bound_bytes <= each_bytes <= bound_bytes


@pytest.mark.usefixtures("traced")
async def test_a_log_that_moves_while_many_arrive() -> None:
    """Noted once for all of them."""
    roster, logs = Node().chat.roster, 1_000
    moved = [(f"dm:anna:peer-{at}", Head(1, 1, 1, 0)) for at in range(logs)]
    for at in range(100):
        roster.arrivals[f"person-{at}"] = Arrival()
    before = held_bytes()
    for conv, head in moved:
        roster.note(conv, head)
    assert held_bytes() - before <= 100 * logs
