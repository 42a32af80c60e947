"""Links by which people come into a group; of their codes the SHA-256 alone is stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from webchat.model import ConvID, InviteLink


class InviteLinks(Protocol):
    """Every method may raise WebchatError(UNAVAILABLE). What is written is durable on return."""

    async def add(self, code_hash: bytes, link: InviteLink) -> None:
        """Keep a link."""

    async def find(self, code_hash: bytes) -> InviteLink | None:
        """The link of that code, expired or used up ones too; None: never was, or revoked."""

    async def of_group(self, conv: ConvID, now: int) -> Sequence[InviteLink]:
        """The links to a group that have not expired at `now` (ms), by `expires_at`, then id."""

    async def use(self, link_id: str) -> bool:
        """Use a link once; False: it is used up, or revoked."""

    async def give_back(self, link_id: str) -> None:
        """Undo one `use`."""

    async def revoke(self, conv: ConvID, link_id: str) -> bool:
        """End a link to that group; False: there is none of that id."""

    async def forget_expired(self, now: int) -> None:
        """Drop links that have expired at `now` (ms)."""
