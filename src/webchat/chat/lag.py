"""Where a device is behind, and how much of that a join may ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from webchat.model import ConvID, Seq

if TYPE_CHECKING:
    from webchat.chat.roster import HeldLog

Ack = tuple[int, bytes, bool]
"""Which event it answers, with what, and whether it comes instead of the entry."""


@dataclass(frozen=True, slots=True)
class BacklogSettings:
    """`backlog_entries`: how far behind one conversation may begin; `join_entries`: how many
    entries a join may ask for in all; `page_entries`: how many are read at once."""

    backlog_entries: int = 200
    join_entries: int = 10_000
    page_entries: int = 100


class Lag:
    """Where a device is behind in a log. `waiting`: its cursor is still to come; `skip_only`: it
    is beyond what a join may ask for; `acks`: by `Seq`, those that wait for their turn."""

    __slots__ = ("acks", "position", "skip_only", "waiting")

    def __init__(self, position: Seq, *, waiting: bool = False) -> None:
        self.position = position
        self.waiting = waiting
        self.skip_only = False
        self.acks: dict[Seq, list[Ack]] = {}

    def keep_ack(self, seq: Seq, ack: Ack) -> None:
        """An ack whose place is at the entry `seq`."""
        self.acks.setdefault(seq, []).append(ack)


def share_out(
    lags: Mapping[ConvID, Lag], logs: Sequence[HeldLog], budget: int, settings: BacklogSettings
) -> int:
    """Share out how many entries a join may ask for; returns what is left of `budget`."""
    for held in logs:
        lag = lags[held.conv]
        behind = min(held.last - lag.position, settings.backlog_entries)
        lag.skip_only = behind > budget
        if not lag.skip_only:
            budget -= behind
    return budget
