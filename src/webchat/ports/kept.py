"""Receipts kept for people of the seed's form who are away (open mode)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from webchat.model import Uid


class KeptReceipts(Protocol):
    """A bounded queue of receipt envelopes per user. Raises WebchatError(UNAVAILABLE)."""

    async def keep(self, uid: Uid, envelopes: Sequence[bytes], newest: int) -> None:
        """Append them; beyond `newest` the oldest go."""

    async def take(self, uid: Uid, limit: int) -> Sequence[bytes]:
        """Remove and return the oldest, at most `limit`, none only if there are none; once removed
        they are never returned again."""
