"""How repair goes: what gaps, comparing, publishing, repeating and reminding have in common."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RepairSettings:
    """How what the bus did not bring is found.

    `compare_interval_ms`: how often heads are compared while the bus is lost; `sweep_interval_s`:
    how long a pass over all followed logs takes, which goes on for ever: one that is followed since
    it began is in the next. `heads_page`: of how many logs the heads are read at once; `gap_page`:
    how many entries of a gap. `failed_logs`, `failed_notices`: how many are remembered while they
    cannot be published; of notices also so many that were, in case another node had no bus
    meanwhile. `unnoticed_s`: longer than it takes a node to notice that it has no bus, or one whose
    place another has taken; what was said within it before counts as not heard. `positions_page`:
    of how many conversations a user's positions are read at once after an outage.
    """

    compare_interval_ms: int = 4_000
    sweep_interval_s: float = 600.0
    heads_page: int = 1_000
    gap_page: int = 200
    failed_logs: int = 10_000
    failed_notices: int = 10_000
    unnoticed_s: float = 20.0
    positions_page: int = 100
