"""Promise 6: what was acked reaches every device that is connected, in time, whatever went wrong.

For each acked entry and each visit of a device that may see it: take the first moment from which on
nothing disturbs this visit for as long as the promise says. By its end the entry must be there.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from tests.sim.faults import BUS, NODE, STORE
from tests.sim.history import FOREVER, Ack, Visit
from tests.sim.node import LAPSES_S
from tests.sim.violations import require

if TYPE_CHECKING:
    from tests.sim.world import World

HERE_WITHIN_S: Final = 3.0
"""By when members on the sender's own node have it, bus or none; a store that was down a moment ago
is asked again after a second."""
_ELSEWHERE: Final = STORE | NODE | BUS | {"bus lost", "bus lost without notice"}
_HERE: Final = STORE | NODE
Spans = list[tuple[float, float]]


def check_deadlines(world: World, within_s: float) -> None:
    """Raises Violation for the first entry that came too late to somebody."""
    elsewhere, here = _disturbed(world, _ELSEWHERE), _disturbed(world, _HERE)
    acks = {(ack.conv, ack.seq): ack for ack in reversed(world.history.acks)}
    for ack in acks.values():
        for visit in world.history.visits:
            if visit.until_s <= ack.at_s or not _is_for(world, ack, visit):
                continue
            _check(ack, visit, elsewhere, within_s)
            if visit.node is ack.node and _follows(world, visit, ack):
                _check(ack, visit, here, HERE_WITHIN_S)


def _check(ack: Ack, visit: Visit, disturbed: Spans, within_s: float) -> None:
    from_s = max(ack.at_s, visit.since_s)
    if ack.busless and ack.node.process.is_dead and visit.node is not ack.node:
        from_s = max(from_s, ack.node.died_s + LAPSES_S)
    due_s = _calm_from(from_s, _merged([*disturbed, *visit.stalled]), within_s) + within_s
    if due_s > min(visit.until_s, visit.node.died_s):
        return
    reached_s = visit.reached_s(ack.conv, ack.seq)
    late = f"{ack.msg_id} at {ack.seq} of {ack.conv}, acked at {ack.at_s:.3f} s"
    require(
        reached_s <= due_s,
        "delivered in time",
        f"{late}, is not with {visit.device.name} at {visit.node.name} by {due_s:.3f} s, "
        f"but at {reached_s:.3f} s",
    )


def _is_for(world: World, ack: Ack, visit: Visit) -> bool:
    """Whether a visit has a part in this entry. Of a time that its user's leaving has ended it has
    what it names, or was following when the entry came."""
    if not visit.device.full:
        return False
    for since, until in world.ledgers[ack.conv].spans.get(visit.device.uid, []):
        if since <= ack.seq and until is None:
            return True
        if until is not None and since <= ack.seq <= until:
            follows_s = visit.reached.get(ack.conv, [(0, FOREVER)])[0][1]
            return follows_s <= max(ack.at_s, visit.since_s)
    return False


def _follows(world: World, visit: Visit, ack: Ack) -> bool:
    """Whether its node knew that this visit has a part in the log when the entry was acked: of a
    time there that has ended it may still have named where it was."""
    spans = world.ledgers[ack.conv].spans[visit.device.uid]
    since = max(since for since, _ in spans if since <= ack.seq)
    return visit.reached_s(ack.conv, since) <= ack.at_s


def _calm_from(from_s: float, disturbed: Spans, within_s: float) -> float:
    """The first moment from `from_s` on that begins so many seconds of calm."""
    at = max(bisect_right(disturbed, (from_s, float("inf"))) - 1, 0)
    for start_s, end_s in disturbed[at:]:
        if start_s >= from_s + within_s:
            break
        from_s = max(from_s, end_s)
    return from_s


def _disturbed(world: World, kinds: Iterable[str]) -> Spans:
    return _merged([(a, b) for a, b, kind, _ in world.faults.disturbed if kind in kinds])


def _merged(spans: Spans) -> Spans:
    merged: Spans = []
    for start_s, end_s in sorted(spans):
        if merged and start_s <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end_s))
        else:
            merged.append((start_s, end_s))
    return merged
