"""What a bus counts, for metrics."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class BusStats:
    """Counts since the start, for metrics. `lag_ms`: the last round trip to Redis."""

    published: int = 0
    failed: int = 0
    received: int = 0
    reconnects: int = 0
    lag_ms: float = 0.0
