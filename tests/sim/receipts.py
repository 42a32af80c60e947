"""Authors hear of their readers: with no new traffic, wherever the bus was away meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Final

from tests.properties.ledger import Ledger
from tests.sim.device import Device
from tests.sim.history import FOREVER, Visit
from tests.sim.violations import require
from webchat.model import NO_POSITION, Position

if TYPE_CHECKING:
    from tests.sim.world import World

TOLD: Final = "authors are told"
_LOSING: Final = frozenset({"crash", "bus lost without notice"})
"""What leaves it to snapshots: a node that dies between what it stores and what it tells, and a
publish that nobody knows to be lost."""


def check_authors_are_told(
    world: World, conv: str, ledger: Ledger, places: Mapping[str, Position]
) -> None:
    """Raises Violation for the first device that has been there since before a message of its user
    was written, and has not heard of one who has it by now. `places`: where they are."""
    for visit in world.history.visits:
        author = visit.device
        if not isinstance(author, Device) or visit.until_s < FOREVER or was_lossy(world, visit):
            continue
        mine = set(written_in(visit, conv))
        if world.is_counted and conv.startswith("group_"):
            if author.uid in ledger.members():
                named = {device.uid for device in world.devices if not device.full}
                check_counts(author, conv, mine, ledger, places, besides=named)
            continue
        for reader in readers_of(world, ledger, author.uid):
            at = places.get(reader, NO_POSITION).delivered
            had = [seq for seq in mine if ledger.spans[reader][0][0] < seq <= at]
            told = author.told.get((conv, reader), 0)
            said = f"{author.name}: {reader} has {had} of {conv}, and it was told of {told}"
            require(told >= max(had, default=0), TOLD, said)


def check_counts(
    author: Device,
    conv: str,
    seqs: Iterable[int],
    ledger: Ledger,
    places: Mapping[str, Position],
    besides: AbstractSet[str] = frozenset(),
) -> None:
    """Raises Violation unless its author was told last that as many have each of these as have it
    by now. `besides`: readers who may name others' messages only."""
    others = set(ledger.members()) - {author.uid} - besides
    since = {uid: ledger.spans[uid][-1][0] for uid in others}
    for seq in seqs:
        at = [places.get(uid, NO_POSITION) for uid, came in since.items() if came < seq]
        has = (sum(p.delivered >= seq for p in at), sum(p.displayed >= seq for p in at))
        told = author.counted.get(conv, {}).get(seq, (0, 0))
        said = f"{author.name}: {has} have {seq} of {conv}, and it was told of {told}"
        # Who leaves is counted no more, which is no news.
        require(told[0] >= has[0] and told[1] >= has[1], TOLD, said)


def was_lossy(world: World, visit: Visit) -> bool:
    """Whether a visit saw what may lose news of receipts."""
    return any(
        kind in _LOSING and end_s >= visit.since_s for _, end_s, kind, _ in world.faults.disturbed
    )


def readers_of(world: World, ledger: Ledger, author: str) -> list[str]:
    """Who else was in all the time, and is sure to say all that it has."""
    pages = {device.uid for device in world.devices if not device.full}
    stayed = {uid for uid, spans in ledger.spans.items() if len(spans) == 1 and not spans[0][1]}
    return sorted(stayed - pages - {author}) if author in stayed else []


def written_in(visit: Visit, conv: str) -> Iterator[int]:
    """The `Seq` of each message that any device of its user wrote, at once, while it was there."""
    for device in visit.device.world.devices:
        for sent in device.acts if device.uid == visit.device.uid else ():
            is_written = sent.kind == "message" and sent.conv == conv and sent.tries == 1
            if is_written and sent.said_s >= visit.since_s and "Seq" in (sent.answer or {}):
                yield sent.answer["Seq"]
