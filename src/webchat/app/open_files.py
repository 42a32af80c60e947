"""How many files, connections among them, this process may have open."""

from __future__ import annotations

import resource
from contextlib import suppress
from typing import Final

import structlog

RESERVE: Final = 1_000
"""So many are for everything but clients: the store, the bus, other nodes, requests passed on."""

_log = structlog.get_logger()


def allow_open_files() -> None:
    """Raise the limit as far as this process may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        # Some systems name a hard limit that they do not grant.
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def warn_of_few_files(connections: int) -> None:
    """Log it if so many connections do not fit into the limit: some would be left waiting without a
    word. To be called once the server listens: what keeps it from that stands alone."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit != resource.RLIM_INFINITY and limit < connections + RESERVE:
        _log.warning(
            "fewer files may be open than --sessions needs: raise the limit (ulimit -n, "
            "LimitNOFILE) or lower --sessions",
            limit=limit,
            needed=connections + RESERVE,
        )
