"""Breaking things while people chat: which part, how, for how long, and how soon all is well."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from tests.cluster.cluster import Part
from tests.cluster.device import Device

How = Literal["killed", "paused"]
BREAKS_S: Final = (0.2, 6.0)
"""How long a part stays away, at least and at most."""
CALM_S: Final = (0.5, 3.0)
"""How long nothing more breaks afterwards."""


@dataclass(frozen=True)
class Incident:
    """A part that was away, and when; `healed_at` by this process's clock."""

    part: str
    how: How
    away_s: float
    healed_at: float


class Chaos:
    """Breaks one part after the other, now and then two at once, as the random numbers say."""

    def __init__(self, parts: dict[str, Part], rng: random.Random) -> None:
        self.incidents: list[Incident] = []
        self._parts = parts
        self._rng = rng
        self._broken: set[str] = set()

    async def reign(self, for_s: float) -> None:
        """Break and heal for that long; everything is whole on return."""
        ends_at = time.monotonic() + for_s
        while time.monotonic() < ends_at:
            breaking = [self._break_one()]
            if self._rng.random() < 0.25:
                breaking.append(self._break_one())
            await asyncio.gather(*breaking)
            await asyncio.sleep(self._rng.uniform(*CALM_S))

    async def _break_one(self) -> None:
        name = self._rng.choice(sorted(self._parts.keys() - self._broken))
        how: How = self._rng.choice(("killed", "paused"))
        away_s = self._rng.uniform(*BREAKS_S)
        part = self._parts[name]
        self._broken.add(name)
        await asyncio.to_thread(part.kill if how == "killed" else part.pause)
        await asyncio.sleep(away_s)
        await asyncio.to_thread(part.start if how == "killed" else part.resume)
        self._broken.discard(name)
        self.incidents.append(Incident(name, how, away_s, time.monotonic()))


async def talk(devices: Sequence[Device], rng: random.Random, pause_s: float) -> None:
    """Write again and again, each device to one of the conversations it follows; for ever."""
    while True:
        device = rng.choice(devices)
        conv = rng.choice(sorted(device.seen))
        await device.write(conv, counterpart(device.uid, conv))
        await asyncio.sleep(rng.uniform(0, 2 * pause_s))


def counterpart(uid: str, conv: str) -> str:
    """Where a message to a conversation goes: the group, or the other of the two."""
    if conv.startswith("group_"):
        return conv
    _, a, b = conv.split(":")
    return b if uid == a else a
