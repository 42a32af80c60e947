"""Settings that are sound by themselves and cannot be together, each with what to use instead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from webchat.config.fields import option_name
from webchat.config.places import SHARED_STORES, is_wildcard
from webchat.config.settings import Settings

_PAUSES: Final = (
    ("bus_reconnect_min_ms", "bus_reconnect_max_ms"),
    ("postgresql_reconnect_min_ms", "postgresql_reconnect_max_ms"),
    ("dynamodb_pause_ms", "dynamodb_max_pause_ms"),
)
"""Pauses that grow from try to try: the first, and the longest."""
_FIELDS_BYTES: Final = 4_096
"""An envelope's other fields at most, and its packet's head."""


def contradictions(settings: Settings) -> Iterator[str]:
    """Why these settings cannot be served, a line each; none: they can."""
    if settings.store_kind == "sqlite":
        yield from _beyond_sqlite(settings)
    elif not settings.is_bus_shared:
        yield from _beyond_one_process(settings)
    if settings.is_bus_shared and is_wildcard(settings.host) and not settings.advertise:
        yield (
            f"--host {settings.host} is no address for other nodes; "
            "add --advertise http://HOST, where they reach this one"
        )
    yield from _about_profiles(settings)
    if settings.peer_port and settings.peer_port + settings.workers - 1 > 65_535:
        yield "--peer-port: no port is left for each of --workers; use a lower one"
    if settings.is_bus_shared and settings.relay_answer_timeout_ms <= settings.ping_interval_ms:
        yield "--relay-answer-timeout-ms: polls are held for --ping-interval-ms; use a longer one"
    most_said = 6 * settings.text_bytes + settings.extension_bytes + _FIELDS_BYTES
    if settings.outbox_bytes < most_said:
        yield (
            f"--outbox-bytes: a message of --text-bytes, all of them escaped, takes {most_said}; "
            "use as many, or a lower --text-bytes or --extension-bytes"
        )
    for first, most in _PAUSES:
        if getattr(settings, first) > getattr(settings, most):
            yield f"{option_name(first)}: it grows up to {option_name(most)}; use a shorter one"


def _about_profiles(settings: Settings) -> Iterator[str]:
    """A port of its own for the REST of open mode, which is served on --port already."""
    if settings.profile_port is None:
        return
    if not settings.open:
        yield "--profile-port: profiles are served in open mode alone; add --open, or leave it out"
    elif settings.profile_port == settings.port:
        yield "--profile-port: they are on --port anyway; use another one, or leave it out"


def _beyond_sqlite(settings: Settings) -> Iterator[str]:
    """SQLite serves one process."""
    use = f"SQLite serves one process; use --store {SHARED_STORES}"
    if settings.is_bus_shared:
        yield f"--bus {settings.bus_kind}: {use}, or --bus memory:"
    if settings.workers > 1:
        yield f"--workers: {use}, and --bus redis://HOST, or --workers 1"
    if settings.role != "all":
        yield f"--role: {use}, and --bus redis://HOST, or --role all"
    yield from _without_peers(settings)


def _beyond_one_process(settings: Settings) -> Iterator[str]:
    """Several processes need a bus between them."""
    if settings.workers > 1:
        yield "--workers: processes need a bus between them; add --bus redis://HOST"
    if settings.role != "all":
        yield "--role: parts need a bus between them; add --bus redis://HOST"
    yield from _without_peers(settings)


def _without_peers(settings: Settings) -> Iterator[str]:
    if settings.is_bus_shared:
        return
    for name in ("advertise", "peer_port"):
        if getattr(settings, name):
            yield f"{option_name(name)}: there are no other nodes with --bus memory:; leave it out"
