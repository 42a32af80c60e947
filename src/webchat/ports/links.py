"""Links by which people come into a group; of their codes the SHA-256 alone is stored.

What is promised of one act holds whichever nodes do others at the same time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from webchat.model import ConvID, InviteLink

VISITS: Final = 50
"""Of so many visits, the newest, a link that is for a number of people knows that they used it."""


class InviteLinks(Protocol):
    """Every method may raise WebchatError(UNAVAILABLE). What is written is durable on return."""

    async def add(self, code_hash: bytes, link: InviteLink, most: int, now: int) -> bool:
        """Keep a link; False: its group has `most` that have not expired at `now` (ms)."""

    async def find(self, code_hash: bytes) -> InviteLink | None:
        """The link of that code, expired or used up ones too; None: never was, or revoked."""

    async def of_group(self, conv: ConvID, now: int) -> Sequence[InviteLink]:
        """The links to a group that have not expired at `now` (ms), by `expires_at`, then id."""

    async def use(self, link_id: str, visit: str) -> bool:
        """Use a link for that visit, once however often it is asked for (the newest VISITS are
        remembered); False: it is used up, or revoked."""

    async def give_back(self, link_id: str, visit: str) -> None:
        """Undo the `use` for that visit, if there is one that is remembered."""

    async def revoke(self, conv: ConvID, link_id: str) -> bool:
        """End a link to that group; False: there is none of that id."""

    async def forget_expired(self, now: int) -> None:
        """Drop links that have expired at `now` (ms)."""
