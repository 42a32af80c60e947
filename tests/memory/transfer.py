"""All that a memory store keeps, as records: the reference of `ports/transfer.py`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from itertools import chain
from typing import Protocol

from tests.memory.state import State
from webchat.model import Membership, unseal
from webchat.ports.transfer import (
    EntryRecord,
    GroupRecord,
    InvitationRecord,
    KeptRecord,
    MemberRecord,
    PositionRecord,
    ReactionRecord,
    Record,
)  # fmt: skip


class Part(Protocol):
    """One of the parts of a store that keep records of their own."""

    def records(self) -> Iterator[Record]:
        """All that it keeps."""

    def restore(self, record: Record) -> None:
        """Keep `record` if it is this part's, and not there."""


class MemoryTransfer:
    """Reading all of a store, filling an empty one; `check_up` raises while the store is down."""

    def __init__(self, state: State, parts: Sequence[Part], check_up: Callable[[], None]) -> None:
        self._state = state
        self._parts = parts
        self._check_up = check_up
        self._last_page: tuple[Record, ...] = ()

    async def records(self) -> AsyncIterator[Record]:
        """All that is kept now."""
        self._check_up()
        for record in list(self._records()):
            yield record

    async def restore(self, records: Sequence[Record]) -> None:
        """Keep a page of records."""
        self._check_up()
        # Receipts have no key by which they would be known again.
        is_again = tuple(records) == self._last_page
        self._last_page = tuple(records)
        for record in records:
            _restore(self._state, record)
            if not (is_again and isinstance(record, KeptRecord)):
                for part in self._parts:
                    part.restore(record)

    async def begin(self) -> None:
        """Nothing of it would be left to be opened again."""
        self._check_up()

    async def finish(self) -> None:
        """Done."""
        self._check_up()

    async def is_empty(self) -> bool:
        """Whether nothing is kept."""
        self._check_up()
        return next(self._records(), None) is None

    def _records(self) -> Iterator[Record]:
        of_parts = (part.records() for part in self._parts)
        return chain(_records(self._state), chain.from_iterable(of_parts))


def _records(state: State) -> Iterator[Record]:
    for conv, entries in state.entries.items():
        for entry, members_seq in zip(entries, state.members_seqs[conv], strict=True):
            yield EntryRecord(entry, members_seq)
    for (conv, seq), reactions in state.reactions.items():
        for uid, (body, by) in reactions.items():
            yield ReactionRecord(conv, seq, uid, by, body)
    yield from (MemberRecord(span) for span in _spans(state))
    yield from map(GroupRecord, state.groups.values())
    for (conv, uid), position in state.positions.items():
        yield PositionRecord(conv, uid, position)
    yield from map(InvitationRecord, state.invitations)


def _spans(state: State) -> Iterator[Membership]:
    for people in state.spans.values():
        yield from chain.from_iterable(people.values())


def _restore(state: State, record: Record) -> None:
    match record:
        case EntryRecord(entry, members_seq):
            if entry.seq == len(state.entries[entry.conv]) + 1:
                state.put(entry, unseal(entry), members_seq)
        case ReactionRecord(conv, seq, uid, by, body):
            if body:
                state.reactions[conv, seq][uid] = (body, by)
        case MemberRecord(span):
            spans = state.spans[span.conv].setdefault(span.uid, [])
            if span not in spans:
                spans.append(span)
                spans.sort(key=lambda each: each.since)
        case GroupRecord(group):
            state.groups[group.conv] = group
        case PositionRecord(conv, uid, position):
            state.positions[conv, uid] = position
        case InvitationRecord(invitation):
            if invitation not in state.invitations:
                state.invitations.append(invitation)
