"""Messages to groups that the server does not know, held until somebody says who is in them.

Open mode, seed flow 6 ("restart").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from webchat.errors import Code, WebchatError
from webchat.model import ConvID, Draft, Uid


class HeldMessage(msgspec.Struct, frozen=True):
    """A message that waits. `id` ascends in the order of holding. `at`: ms."""

    id: int
    conv: ConvID
    uid: Uid
    draft: Draft
    at: int


class HeldLimits(msgspec.Struct, frozen=True):
    """`messages_per_user`: over all groups; `bytes_per_group`: of envelopes, so that one append
    takes them; `lifetime_ms`: what is older is as good as gone."""

    messages_per_user: int = 100
    bytes_per_group: int = 262_144
    lifetime_ms: int = 7 * 24 * 3_600_000


def check_limits(
    conv: ConvID, draft: Draft, limits: HeldLimits, *, of_user: int, of_group_bytes: int
) -> None:
    """Whether one more can be held. `of_user`: how many are held of its sender already;
    `of_group_bytes`: of the envelopes that are held for its group. Raises
    WebchatError(RATE_LIMITED)."""
    if of_user >= limits.messages_per_user:
        raise WebchatError(Code.RATE_LIMITED, f"{of_user} messages of yours wait for their groups")
    if of_group_bytes + len(draft.envelope) > limits.bytes_per_group:
        raise WebchatError(Code.RATE_LIMITED, f"{conv} has too much waiting for it")


class Held(Protocol):
    """Every method may raise WebchatError(UNAVAILABLE)."""

    async def hold(self, conv: ConvID, draft: Draft, at: int, limits: HeldLimits) -> None:
        """Keep a message, durable on return; the same (conv, sender, msg_id) is held once.

        Raises WebchatError(RATE_LIMITED) beyond `limits`; what has expired does not count."""

    async def of_group(self, conv: ConvID, not_before: int) -> Sequence[HeldMessage]:
        """All that is held for a group since `not_before` (ms), in the order of holding."""

    async def of_user(self, uid: Uid, not_before: int) -> Sequence[HeldMessage]:
        """All that is held of a user since `not_before` (ms), in the order of holding."""

    async def drop(self, ids: Sequence[int]) -> None:
        """They have been appended."""

    async def expire(self, before: int) -> None:
        """Forget what was held before that time (ms)."""
