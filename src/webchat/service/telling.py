"""Who is told of positions that moved: the authors whose messages they passed, one by one or, in
large groups, as counts.

Source: docs/protocol.md, section 6. What many readers passed at the same time is read once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterator, Sequence
from typing import Final, Protocol

import msgspec
import structlog

from webchat.errors import WebchatError
from webchat.model import MESSAGE, ConvID, Entry, Position, Seq, Uid, is_group
from webchat.ports.positions import Moved
from webchat.ports.store import Store
from webchat.service.apart import Apart
from webchat.service.batches import all_of
from webchat.service.passed_over import Late, Named, PassedOver
from webchat.service.patience import Patience
from webchat.service.profiles import Profiles
from webchat.service.read_positions import ReadPositions, ReceiptSettings
from webchat.service.tasks import Spawn

Message = tuple[Seq, str]
"""A message as receipts name it: its `Seq` and MsgID."""

_log = structlog.get_logger()
_AT_ONCE: Final = 8
"""Conversations that are looked at together; where nothing has to be waited for, one after the
other."""


class Notice(msgspec.Struct, frozen=True):
    """What an author learns of a reader: new positions (0: that one did not move for its messages)
    and the author's messages that they newly cover, for clients that know no `Seq`. `counted`: in
    a group so large that other clients get Counts instead. `ago_s`: it is said again, and so long
    ago was shown on a device of the author, or may have been."""

    author: Uid
    conv: ConvID
    reader: Uid
    delivered: Seq
    displayed: Seq
    newly_delivered: tuple[Message, ...]
    newly_displayed: tuple[Message, ...]
    counted: bool = False
    ago_s: float | None = None


class ReceiptListener(Protocol):
    """Who brings the news to devices."""

    def author_told(self, notice: Notice) -> None:
        """A reader of the author's messages moved."""

    def hears_one_by_one(self, author: Uid) -> bool:
        """Whether a Notice that is `counted` may be of use to anybody."""


class Step(msgspec.Struct, frozen=True, gc=False):
    """A move as authors are to hear of it: it passed the entries from `after`, exclusive, to
    `until`. `named`: only the authors of these hear of it; None: all. `says_delivery`: the reader
    said the delivery by itself, so it is told beside the display, which implies it. `is_late`: the
    reader's position had passed these entries before."""

    moved: Moved
    after: Seq
    until: Seq
    named: frozenset[Seq] | None
    says_delivery: bool
    is_late: bool = False


class _Window(msgspec.Struct, frozen=True):
    """Steps of one conversation that lie close together: from `after`, exclusive, to `until`.
    `later`: those of the windows after it."""

    conv: ConvID
    after: Seq
    until: Seq
    steps: list[Step]
    later: list[Step]


class _Seen(msgspec.Struct, frozen=True):
    """What is known of a window: its entries; whether the group is so large that authors get
    counts; which authors hear of each reader; who of all these hides displays."""

    entries: Sequence[Entry]
    is_counted: bool
    authors: Container[Uid]
    hiding: Container[Uid]


class Telling:
    """Tells of moves that are stored, of one reader's in the order in which they were written."""

    def __init__(
        self,
        store: Store,
        readers: ReadPositions,
        listener: ReceiptListener,
        profiles: Profiles,
        patience: Patience,
        spawn: Spawn,
        settings: ReceiptSettings,
    ) -> None:
        self._log = store.log
        self._members = store.members
        self._readers = readers
        self._listener = listener
        self._profiles = profiles
        self._spawn = spawn
        self._settings = settings
        self._untold: defaultdict[ConvID, list[Step]] = defaultdict(list)
        self._is_telling = False
        self._convs: Apart[None, ConvID] = Apart(
            self._tell_of,
            1,
            "receipts",
            patience,
            spawn,
            lambda *_: self._begin(),  # some at once, again
        )
        self._passed_over = PassedOver(settings.receipt_entries)

    def add(self, moved: Moved, named: set[Seq] | None = None, delivered: Seq = 0) -> None:
        """Have authors told of a move, soon. `named`: see Step. `delivered`: up to which `Seq` the
        reader said that it has been delivered; 0: it did not."""
        if named is not None and not named:
            return
        before, after, most = moved.before, moved.after, self._settings.receipt_entries
        if after.displayed == before.displayed:
            start, until = before.delivered, after.delivered
        elif after.delivered == before.delivered:
            start, until = before.displayed, after.displayed
        elif after.delivered == after.displayed or after.delivered - most <= before.displayed:
            start, until = before.displayed, after.delivered
        else:  # so far apart that what they passed is not seen together
            delivery, display = _parted(moved)
            self.add(delivery, named, delivered)
            self.add(display, named)
            return
        theirs = None if named is None else frozenset(named)
        if theirs is not None:
            until = min(until, max(theirs))
        start = max(start, until - most)
        if start < until:
            step = Step(moved, start, until, theirs, delivered > before.delivered)
            self._untold[moved.conv].append(step)
        if not self._is_telling:
            self._begin()

    def add_named(self, moved: Moved, named: Named, delivered: Seq, *, is_of_all: bool) -> None:
        """The reader is of the seed's form: authors of what it named hear of it, also where it had
        passed that before; `is_of_all`: all authors have been told of this move."""
        if late := self._passed_over.take(moved, named):
            self._untold[moved.conv] += [_late_step(moved, each) for each in late]
            self._begin()
        if moved.before != moved.after and not is_of_all:
            self._passed_over.note(moved, named)
            self.add(moved, named.delivered | named.displayed, delivered)

    def _begin(self) -> None:
        if not self._is_telling:
            self._is_telling = True
            self._spawn(self._tell_all())

    async def _tell_all(self) -> None:
        """Some conversations at once. The store may go down after the write, or not answer for some
        of them alone: these are told when it does, and hold up no others."""
        try:
            while self._untold and (due := self._due()):
                if len(due) == 1:
                    await self._convs.act_on(None, due)
                else:
                    convs = iter(due)
                    await all_of([self._tell_each(convs) for _ in range(min(_AT_ONCE, len(due)))])
        finally:
            self._is_telling = False

    def _due(self) -> list[ConvID]:
        """The conversations to tell of now; of the others the newest steps are kept."""
        due = []
        for conv, steps in self._untold.items():
            if not self._convs.holds(None, conv):
                due.append(conv)
            elif len(steps) > self._settings.untold_steps:
                del steps[: -self._settings.untold_steps]
        return due

    async def _tell_each(self, convs: Iterator[ConvID]) -> None:
        for conv in convs:
            await self._convs.act_on(None, (conv,))

    async def _tell_of(self, _: None, convs: Sequence[ConvID]) -> None:
        """What cannot be told now stays untold, ahead of what comes meanwhile."""
        for conv in convs:
            steps = self._untold.pop(conv, [])
            try:
                for window in _windows(conv, steps, self._settings.receipt_entries):
                    self._tell(window, await self._look_at(window))
                    steps = window.later
            except Exception as error:
                if not (isinstance(error, WebchatError) and error.code.retry):
                    _log.exception("receipts of one conversation cannot be told", conv=conv)
                    continue
                steps += self._untold.pop(conv, ())
                self._untold[conv] = steps[-self._settings.untold_steps :]
                raise

    async def _look_at(self, window: _Window) -> _Seen:
        conv, after = window.conv, window.after
        entries = await self._log.read(conv, after, window.until - after)
        authors = dict.fromkeys([entry.sender for entry in entries if entry.kind == MESSAGE])
        size = await self._members.count(conv) if authors and is_group(conv) else 0
        is_counted = size > self._settings.told_members
        if is_counted:
            authors = self._hearing_one_by_one(authors, size)
        if not authors:
            return _Seen(entries, is_counted, (), ())
        readers = dict.fromkeys([step.moved.uid for step in window.steps])
        hiding = await self._profiles.hiding([*authors, *readers])
        return _Seen(entries, is_counted, authors, hiding)

    def _hearing_one_by_one(self, authors: dict[Uid, None], size: int) -> dict[Uid, None]:
        """Who of these authors still hears of each reader in a group with counts."""
        if size > self._settings.told_seed_members:
            return {}
        return dict.fromkeys(filter(self._listener.hears_one_by_one, authors))

    def _tell(self, window: _Window, seen: _Seen) -> None:
        if seen.is_counted:
            self._readers.count_later(window.conv, _passed(window, seen.entries))
        if not seen.authors:
            return
        for step in window.steps:
            by_author: dict[Uid, list[Entry]] = {}
            for entry in _newly(step, window, seen.entries):
                by_author.setdefault(entry.sender, []).append(entry)
            for author, theirs in by_author.items():
                if author in seen.authors:
                    notice = _notice(author, step, theirs, seen)
                    if notice.newly_delivered or notice.newly_displayed:
                        self._listener.author_told(notice)


def _parted(moved: Moved) -> tuple[Moved, Moved]:
    """The delivery alone, then the display."""
    before, after = moved.before, moved.after
    between = Position(after.delivered, before.displayed, before.n)
    conv, uid = moved.conv, moved.uid
    return Moved(conv, uid, before, between), Moved(conv, uid, between, after)


def _late_step(moved: Moved, late: Late) -> Step:
    """One message alone, of which its author has not heard so far."""
    seq, after = late.seq, moved.after
    delivered = seq - 1 if late.delivery else after.delivered
    displayed = seq - 1 if late.display else after.displayed
    before = Position(delivered, displayed, after.n)
    alone = Moved(moved.conv, moved.uid, before, after)
    return Step(alone, seq - 1, seq, frozenset((seq,)), late.says_delivery, is_late=True)


def _windows(conv: ConvID, steps: list[Step], most: int) -> Iterator[_Window]:
    """All steps, in windows of up to `most` entries. Of one reader's, an earlier one is in an
    earlier window or before it in the same."""
    if len(steps) == 1:
        yield _Window(conv, steps[0].after, steps[0].until, steps, [])
        return
    while steps:
        after, until = min([step.after for step in steps]), max([step.until for step in steps])
        within: list[Step] = steps
        beyond: list[Step] = []
        if until - after > most:
            after, until, within, beyond = _close_to_first(steps, most)
        yield _Window(conv, after, until, within, beyond)
        steps = beyond


def _close_to_first(steps: list[Step], most: int) -> tuple[Seq, Seq, list[Step], list[Step]]:
    """(after, until, steps) of a window with the first step and those that fit beside it, and the
    rest: with a step all later ones of its reader."""
    after, until = steps[0].after, steps[0].until
    within: list[Step] = []
    beyond: list[Step] = []
    readers: set[Uid] = set()
    for step in steps:
        low, high = min(after, step.after), max(until, step.until)
        if high - low <= most and step.moved.uid not in readers:
            after, until = low, high
            within.append(step)
        else:
            readers.add(step.moved.uid)
            beyond.append(step)
    return after, until, within, beyond


def _newly(step: Step, window: _Window, entries: Sequence[Entry]) -> list[Entry]:
    """Others' messages that a step passed, among the entries of its window."""
    uid, named = step.moved.uid, step.named
    return [
        entry
        for entry in entries[step.after - window.after : step.until - window.after]
        if entry.kind == MESSAGE and entry.sender != uid and (named is None or entry.seq in named)
    ]


def _passed(window: _Window, entries: Sequence[Entry]) -> list[Entry]:
    """The messages of a window that anybody but their author has passed."""
    alike: defaultdict[tuple[Seq, Seq, frozenset[Seq] | None], dict[Uid, Step]] = defaultdict(dict)
    for step in window.steps:
        if step.is_late:
            continue
        alike[step.after, step.until, step.named][step.moved.uid] = step
    # Of readers that passed the same any two will do: each message has another author than one.
    some = [step for steps in alike.values() for step in list(steps.values())[:2]]
    return list({e.seq: e for step in some for e in _newly(step, window, entries)}.values())


def _notice(author: Uid, step: Step, theirs: Sequence[Entry], seen: _Seen) -> Notice:
    moved, before, after = step.moved, step.moved.before, step.moved.after
    is_hidden = author in seen.hiding or moved.uid in seen.hiding
    is_said = step.says_delivery or is_hidden
    delivered = _between(theirs, before.delivered, after.delivered) if is_said else ()
    displayed = () if is_hidden else _between(theirs, before.displayed, after.displayed)
    knows = step.is_late and not is_group(moved.conv)  # the one author there was told of more
    return Notice(
        author,
        moved.conv,
        moved.uid,
        after.delivered if delivered and not knows else 0,
        after.displayed if displayed and not knows else 0,
        delivered,
        displayed,
        seen.is_counted,
    )


def _between(entries: Sequence[Entry], low: Seq, high: Seq) -> tuple[Message, ...]:
    return tuple([(entry.seq, entry.msg_id) for entry in entries if low < entry.seq <= high])
