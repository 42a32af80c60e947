"""Rates that are shared by everything that counts the same thing: logins, registrations."""

from __future__ import annotations

from typing import Protocol

import msgspec


class Rate(msgspec.Struct, frozen=True):
    """A token bucket: `burst` at once, refilled at `per_min` a minute."""

    per_min: float
    burst: int


class Limits(Protocol):
    """Counters by key. Never raises: an outage falls back to this process's own counting."""

    async def take(self, key: str, rate: Rate) -> int:
        """Use one up. 0: allowed; else ms until it would be, and nothing was used up."""

    async def give_back(self, key: str, rate: Rate) -> None:
        """Undo one `take` (a login that succeeded)."""
