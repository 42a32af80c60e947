"""The keys that the nodes of a store sign with, and how another one takes the place of one in use.

Each node looks at the keys several times a lease. So a key that is put behind the one in use is
known to all a lease later, may sign from then on, and another lease later nobody signs with the one
before.
"""

from __future__ import annotations

import secrets
from typing import Final

from webchat.ports.clock import Clock, pause
from webchat.ports.nodes import Nodes

_KEY_BYTES: Final = 32


def new_key() -> bytes:
    """A key that nobody has."""
    return secrets.token_bytes(_KEY_BYTES)


async def rotate(nodes: Nodes, clock: Clock, lease_ms: int) -> None:
    """Put a new key in the place of the nodes' own while they serve; takes two leases, or three if
    that was broken off before. Done by one process at a time. Raises WebchatError(UNAVAILABLE): to
    be done again."""
    fresh = new_key()
    used, *others = await nodes.shared_keys(fresh)
    if others:  # of which some nodes may still sign with one
        await pause(clock, lease_ms / 1000)
    await nodes.save_keys([used, fresh])
    await pause(clock, lease_ms / 1000)
    await nodes.save_keys([fresh, used])
    await pause(clock, lease_ms / 1000)
    await nodes.save_keys([fresh])
