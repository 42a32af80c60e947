"""How long the stories are: short ones in every run, long ones by `make properties`."""

from __future__ import annotations

import os
from typing import Final

from hypothesis import HealthCheck, Phase, settings

_COMMON: Final = settings(
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
_PROFILES: Final = {
    "short": settings(
        _COMMON,
        derandomize=True,
        max_examples=50,
        stateful_step_count=40,
        phases=[Phase.generate, Phase.shrink],
    ),
    "long": settings(
        _COMMON,
        max_examples=3_000,
        stateful_step_count=80,
        phases=[Phase.generate, Phase.shrink],
    ),
}


def profile() -> settings:
    """The one that HYPOTHESIS_PROFILE names: `short`, always the same stories, or `long`."""
    return _PROFILES[os.environ.get("HYPOTHESIS_PROFILE", "short")]
