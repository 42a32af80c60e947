"""Where things are that a node tells apart by their path alone."""

from __future__ import annotations

from typing import Final

HEALTHZ: Final = "/healthz"
READYZ: Final = "/readyz"
METRICS: Final = "/metrics"
OF_EVERY_NODE: Final = frozenset({HEALTHZ, READYZ, METRICS})
"""What each node answers for itself, whatever part it plays."""

API: Final = "/api/"
SEED_PROFILES: Final = ("/add", "/getall", "/search/")
"""What the paths of the seed's profile server begin with."""
