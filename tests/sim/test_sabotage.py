"""The checkers find what is broken on purpose, and name the promise."""

from __future__ import annotations

import pytest

from tests.sim import group_sabotages, page_sabotages, sabotages
from tests.sim.sabotage import Sabotage
from tests.sim.story import tell

WITHIN_SEEDS = 200
SABOTAGES = (*sabotages.SABOTAGES, *group_sabotages.SABOTAGES, *page_sabotages.SABOTAGES)


@pytest.mark.parametrize("sabotage", SABOTAGES, ids=lambda sabotage: sabotage.name)
def test_a_broken_promise_is_found(sabotage: Sabotage) -> None:
    unexplained = []
    for seed in range(sabotage.first_seed, sabotage.first_seed + 2 * WITHIN_SEEDS, 2):
        found = tell(seed, sabotage).violations
        if any(map(sabotage.explains, found)):
            return
        unexplained += found
    pytest.fail(f"it was to break {sabotage.breaks}, and broke: {unexplained or 'nothing'}")
