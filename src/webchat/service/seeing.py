"""What of an entry is for people who were not in its conversation all the time (promise 8)."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

import msgspec

from webchat.model import Entry, Group, Membership, Seq
from webchat.ports.log import without_text
from webchat.service.amend import what_became_of

Span = tuple[Seq, float]
"""What somebody may see of a log: from, to (both included, or without an end)."""
ALL: tuple[Span, ...] = ((1, math.inf),)


def visible(memberships: Sequence[Membership], group: Group | None) -> tuple[Span, ...]:
    """What somebody may see of a log: from the entry by which they came in to the one by which they
    left, each time; of a `group` with open history all, while they are in it.

    `memberships`: theirs, ascending. `group`: what is true of it; None: it is none.
    """
    is_member = bool(memberships) and memberships[-1].until is None
    if is_member and group is not None and group.history_open:
        return ALL
    return tuple((span.since, span.until or math.inf) for span in memberships)


def is_in(seq: Seq, spans: Sequence[Span]) -> bool:
    """Whether the entry at `seq` is for whoever sees these spans, ascending."""
    begun = bisect_right(spans, (seq, math.inf))
    return begun > 0 and seq <= spans[begun - 1][1]


def as_seen(entry: Entry, spans: Sequence[Span]) -> Entry:
    """An entry of theirs as they may see it: the text of an edit that is not theirs is left out.

    What the message said before is not kept. That it was deleted holds for everybody.
    """
    if len(spans) == 1 and spans[0][1] == math.inf:
        return entry  # what came later is theirs as well; most are of that kind
    edited = what_became_of(entry).edited
    if not edited or is_in(edited, spans):
        return entry
    return msgspec.structs.replace(entry, envelope=without_text(entry.envelope))
