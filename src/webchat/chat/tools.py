"""What most parts of the chat layer work with."""

from __future__ import annotations

from dataclasses import dataclass

from webchat.chat.stats import Stats
from webchat.ports.bus import Bus
from webchat.ports.clock import Clock
from webchat.ports.store import Store
from webchat.service.patience import Patience
from webchat.service.tasks import Spawn


@dataclass(frozen=True, slots=True)
class Tools:
    """One for all parts of a node. `spawn`: runs beside the plain calls what takes a while.
    `open_mode`: nobody logs in."""

    store: Store
    bus: Bus
    clock: Clock
    patience: Patience
    spawn: Spawn
    stats: Stats
    open_mode: bool
