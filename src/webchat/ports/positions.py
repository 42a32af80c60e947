"""Positions of members in conversations: how far delivered, how far displayed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from webchat.model import ConvID, Position, Seq, Uid


class Move(msgspec.Struct, frozen=True, gc=False):
    """Move a member's positions forward to these (0: leave it). A display implies the delivery."""

    conv: ConvID
    uid: Uid
    delivered: Seq
    displayed: Seq


class Moved(msgspec.Struct, frozen=True, gc=False):
    """What a Move did; before == after where it did nothing, as when it was `refused`."""

    conv: ConvID
    uid: Uid
    before: Position
    after: Position
    refused: Exception | None = None


MoveDone = Callable[["Sequence[Moved] | Exception"], None]


class Positions(Protocol):
    """Promises: a position never goes back; a `Seq` beyond the log's last counts as the last;
    what `done` was told is durable."""

    def move(self, moves: Sequence[Move], done: MoveDone) -> None:
        """Queue all `moves`; `done` is called later, on the loop's thread, with a Moved for each
        Move in the same order, once for all, or for each conversation where the store writes those
        apart; or once with WebchatError(UNAVAILABLE) if none was done. What was queued before in
        the same conversation is written, and told, before; no moves at all are done when all is
        that was queued before."""

    async def of_user(self, uid: Uid, convs: Sequence[ConvID]) -> Mapping[ConvID, Position]:
        """The user's positions in these conversations; those without one are left out."""

    async def of_members(self, conv: ConvID, uids: Sequence[Uid]) -> Mapping[Uid, Position]:
        """These members' positions in the conversation; those without one are left out."""

    async def counts(
        self, conv: ConvID, author: Uid, seqs: Sequence[Seq]
    ) -> Mapping[Seq, tuple[int, int]]:
        """How many present members but `author`, who came in before that entry, have these entries
        (delivered, displayed). Members who hide their display count as delivered only where
        `Accounts` says so at the time of the call."""
