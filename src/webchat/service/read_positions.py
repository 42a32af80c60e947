"""Where readers are, as others may see it: snapshots for whoever asks, counts in large groups.

Source: docs/protocol.md, section 6. Display positions of people who hide them, or who ask while
hiding their own, are 0.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from typing import Final

import msgspec

from webchat.errors import WebchatError
from webchat.model import MESSAGE, NO_POSITION, ConvID, Entry, Position, Seq, Uid, pair_of
from webchat.ports.clock import Clock
from webchat.ports.store import Store
from webchat.service.profiles import Profiles
from webchat.service.tasks import Spawn
from webchat.service.turns import Turns

Count = tuple[Seq, int, int]
"""How many have a message: its `Seq`, delivered, displayed."""

_CROSSING_S: Final = 5.0
"""Longer than counts are on their way from one node to another."""


@dataclass(frozen=True, slots=True)
class ReceiptSettings:
    """`receipts_interval_ms`: how long moves are gathered. `receipt_entries`: among how many
    entries up to the new position authors are sought. `told_members`: in groups beyond that, full
    form authors get counts every `counts_interval_ms`; beyond `told_seed_members` seed-form
    authors get nothing. `counted_messages`: of an author, in a snapshot of counts.
    `untold_steps`: of moves in a conversation whose log cannot be read just the newest are told
    when it can."""

    receipts_interval_ms: int = 250
    receipt_entries: int = 200
    told_members: int = 100
    told_seed_members: int = 1_000
    counts_interval_ms: int = 1_000
    counted_messages: int = 100
    untold_steps: int = 10_000


class Counts(msgspec.Struct, frozen=True):
    """How many others have an author's messages: `(Seq, delivered, displayed)` each."""

    author: Uid
    conv: ConvID
    rows: tuple[Count, ...]


class ReadPositions:
    """Reads positions for others' eyes. `counted`: who hears of counts that changed."""

    def __init__(
        self,
        store: Store,
        profiles: Profiles,
        clock: Clock,
        spawn: Spawn,
        counted: Callable[[Counts], None],
        settings: ReceiptSettings,
    ) -> None:
        self._positions = store.positions
        self._log = store.log
        self._members = store.members
        self._profiles = profiles
        self._clock = clock
        self._spawn = spawn
        self._counted = counted
        self._settings = settings
        self._uncounted: dict[ConvID, dict[Uid, set[Seq]]] = {}
        self._told: dict[ConvID, dict[Uid, list[Count]]] = {}
        """The newest counts, which may have had in them already what is counted next."""
        self._told_meanwhile: dict[tuple[ConvID, Uid], list[Count]] = {}
        """What authors for whom a snapshot is being read have been told since that began."""
        self._unheard: set[tuple[ConvID, Uid]] = set()
        """Of whom what was told last counts for nothing at the next count."""
        self._lately: OrderedDict[tuple[ConvID, Uid, Seq], tuple[float, Count]] = OrderedDict()
        """When an author was told last by any node, and what, while others may cross it; in the
        order in which it was told."""
        self._counting: set[ConvID] = set()
        """Groups that are being counted, or about to be."""
        self._turns = Turns()

    # Snapshots

    async def snapshot(self, conv: ConvID, viewer: Uid) -> Sequence[tuple[object, Seq, Seq]]:
        """Where everybody is, as `viewer` may see it: `(uid, delivered, displayed)` of each member,
        or in a large group `(Seq, delivered, displayed)` counts of the viewer's newest messages.
        One at a time of each conversation for each viewer.

        What the viewer is told of positions meanwhile it may lack, of counts it does not."""
        pair = pair_of(conv)
        if pair is not None:
            return await self._positions_of(conv, viewer, list(dict.fromkeys(pair)))
        if await self._members.count(conv) > self._settings.told_members:
            return await self._count_newest(conv, viewer)
        members = await self._members.page(conv, "", self._settings.told_members)
        return await self._positions_of(conv, viewer, [member.uid for member in members])

    async def _count_newest(self, conv: ConvID, viewer: Uid) -> list[Count]:
        """Of what is counted and what was told meanwhile the higher, as both may be the newer. Most
        of a large group have nothing in it that is to be counted."""
        told = self._told_meanwhile[conv, viewer] = []
        try:
            own = await self._newest_own(conv, viewer)
            rows = await self._count(conv, viewer, own) if own else []
        finally:
            del self._told_meanwhile[conv, viewer]
        counts = {row[0]: row for row in rows}
        for seq, delivered, displayed in told:
            if seq in counts:
                _, *counted = counts[seq]
                counts[seq] = seq, max(delivered, counted[0]), max(displayed, counted[1])
        return list(counts.values())

    async def _newest_own(self, conv: ConvID, viewer: Uid) -> list[Seq]:
        entries = await self._log.read_before(conv, None, 5 * self._settings.receipt_entries)
        own = [e.seq for e in entries if e.sender == viewer and e.kind == MESSAGE]
        return own[-self._settings.counted_messages :]

    async def _positions_of(
        self, conv: ConvID, viewer: Uid, uids: Sequence[Uid]
    ) -> list[tuple[object, Seq, Seq]]:
        positions = await self._positions.of_members(conv, uids)
        hiding = await self._profiles.hiding([viewer, *uids])
        return [
            (uid, *position_as_seen(viewer, uid, positions.get(uid, NO_POSITION), hiding))
            for uid in uids
        ]

    # Counts, in large groups

    def count_later(self, conv: ConvID, entries: Sequence[Entry]) -> None:
        """Readers of these messages moved: their authors hear the new counts before long."""
        by_author: defaultdict[Uid, set[Seq]] = defaultdict(set)
        for entry in entries:
            by_author[entry.sender].add(entry.seq)
        for author, seqs in by_author.items():
            self._note(conv, author, seqs)

    def count_again(self, conv: ConvID, author: Uid, seqs: set[Seq]) -> None:
        """The author may not have heard of these: before long it hears how many have them then,
        also where that is what was told last."""
        self._unheard.add((conv, author))
        self._note(conv, author, seqs)

    def heard(self, counts: Counts) -> None:
        """Another node has told an author who is here."""
        self._note_told(counts)

    def _note_told(self, counts: Counts) -> None:
        """Where fewer have a message than was told just before, what two nodes counted may have
        crossed on its way: it is counted again, and what this tells is newer than both."""
        lately, now_s, is_fewer = self._lately, self._clock.monotonic_s(), False
        while lately and next(iter(lately.values()))[0] <= now_s - _CROSSING_S:
            lately.popitem(last=False)
        for row in counts.rows:
            message = (counts.conv, counts.author, row[0])
            _, before = lately.pop(message, (now_s, row))
            is_fewer = is_fewer or row[1] < before[1] or row[2] < before[2]
            lately[message] = now_s, row
        if (meanwhile := self._told_meanwhile.get((counts.conv, counts.author))) is not None:
            meanwhile += counts.rows
        if is_fewer:
            self.count_again(counts.conv, counts.author, {row[0] for row in counts.rows})

    def _note(self, conv: ConvID, author: Uid, seqs: set[Seq]) -> None:
        self._uncounted.setdefault(conv, {}).setdefault(author, set()).update(seqs)
        self._count_soon(conv)

    def _count_soon(self, conv: ConvID) -> None:
        if conv not in self._counting:
            self._counting.add(conv)
            interval_s = self._settings.counts_interval_ms / 1000
            self._clock.call_later(interval_s, lambda: self._spawn(self._count_group(conv)))

    async def _count_group(self, conv: ConvID) -> None:
        """And look again an interval later; where nothing came what was told is forgotten."""
        uncounted = self._uncounted.pop(conv, {})
        before = self._told.pop(conv, {})
        try:
            if uncounted:
                self._told[conv] = await self._count_each(conv, uncounted, before)
        finally:
            # Not before: counting very large groups may take longer than the interval.
            self._counting.discard(conv)
            if uncounted:
                self._count_soon(conv)

    async def _count_each(
        self, conv: ConvID, uncounted: dict[Uid, set[Seq]], before: dict[Uid, list[Count]]
    ) -> dict[Uid, list[Count]]:
        """What each author was told. Of several groups one author each is counted in turn."""
        told: dict[Uid, list[Count]] = {}
        for author, seqs in uncounted.items():
            is_unheard = (conv, author) in self._unheard
            self._unheard.discard((conv, author))
            try:
                async with self._turns.of(None):
                    rows = await self._count(conv, author, sorted(seqs))
            except WebchatError:  # counted again when the store is back
                if is_unheard:
                    self._unheard.add((conv, author))
                self._note(conv, author, seqs)
                continue
            told[author] = rows
            known = () if is_unheard else before.get(author, ())
            if changed := tuple([row for row in rows if row not in known]):
                counts = Counts(author, conv, changed)
                self._note_told(counts)
                self._counted(counts)
        return told

    async def _count(self, conv: ConvID, author: Uid, seqs: Sequence[Seq]) -> list[Count]:
        counts = await self._positions.counts(conv, author, seqs)
        is_hidden = bool(await self._profiles.hiding([author]))
        return [
            (seq, delivered, 0 if is_hidden else displayed)
            for seq, (delivered, displayed) in sorted(counts.items())
        ]


def position_as_seen(
    viewer: Uid, uid: Uid, position: Position, hiding: Set[Uid]
) -> tuple[Seq, Seq]:
    """(delivered, displayed) of `uid` for `viewer`. A display is hidden, but from oneself, if
    either of them is in `hiding`."""
    is_hidden = viewer != uid and (viewer in hiding or uid in hiding)
    return position.delivered, 0 if is_hidden else position.displayed
