"""Whose store and whose bus: the adapters that the settings name, imported when they are chosen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from webchat.adapters.memory import LoopClock
from webchat.config import Settings
from webchat.metrics import BusCounts
from webchat.ports.bus import Bus, BusRefused
from webchat.ports.cache import ProfileCache
from webchat.ports.clock import Clock
from webchat.ports.limits import Limits
from webchat.ports.store import Store, StoreRefused


class Joint(Protocol):
    """What nodes have in common besides their store, between `open` and `close`.

    `stats`: what the bus counts, where it counts.
    """

    bus: Bus
    cache: ProfileCache
    limits: Limits
    stats: BusCounts | None

    async def open(self) -> None:
        """Connect; the bus has its listener. Raises BusRefused."""

    async def close(self) -> None:
        """Let go of everything."""


class SharedStore(Store, Protocol):
    """A store that many processes serve, so that none of them makes its schema by itself."""

    async def init(self) -> None:
        """Make or update what it keeps its rows in; harmless when done again. Raises
        StoreRefused."""


def joint_of(settings: Settings, clock: Clock, node_id: str) -> Joint:
    """The bus, the cache and the limits of --bus. Raises BusRefused."""
    if not settings.is_bus_shared:
        from webchat.app.vendors.memory import MemoryJoint

        return MemoryJoint(settings, clock)
    with _needing("redis", BusRefused):
        from webchat.app.vendors.redis import RedisJoint
    return RedisJoint(settings, clock, node_id)


def store_of(settings: Settings, clock: Clock) -> Store:
    """The store of --store, not open yet, for a process that serves it. Raises StoreRefused."""
    if settings.store_kind == "sqlite":
        from webchat.app.vendors import sqlite

        return sqlite.serving(settings, clock)
    return _shared_store(settings, clock)


def store_beside(settings: Settings, clock: Clock) -> Store:
    """The same for a command that works beside the processes that serve it."""
    if settings.store_kind == "sqlite":
        from webchat.app.vendors import sqlite

        return sqlite.beside(settings, clock)
    return _shared_store(settings, clock)


async def init_schema(settings: Settings) -> None:
    """Make or update what a store keeps its rows in. Raises StoreRefused."""
    if settings.store_kind == "sqlite":
        from webchat.app.vendors import sqlite

        await sqlite.beside(settings, LoopClock()).init()
    else:
        await _shared_store(settings, LoopClock()).init()


def _shared_store(settings: Settings, clock: Clock) -> SharedStore:
    if settings.store_kind == "dynamodb":
        with _needing("dynamodb", StoreRefused):
            from webchat.app.vendors import dynamodb
        return dynamodb.store(settings, clock)
    with _needing("postgresql", StoreRefused):
        from webchat.app.vendors import postgresql
    return postgresql.store(settings, clock)


@contextmanager
def _needing(extra: str, refusal: type[Exception]) -> Iterator[None]:
    """Say how to install what an adapter is made of, where it is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing == "webchat":
            raise
        raise refusal(f"{missing} is not installed: pip install 'webchat[{extra}]'") from error
