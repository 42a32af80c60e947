"""Invitations that wait, kept beside their group; what was answered is remembered for a while.

What follows from an entry can come twice, even after the answer: an id that was answered does not
wait again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import Final

import msgspec

from webchat.adapters.dynamodb import keys
from webchat.adapters.dynamodb.head import Mark, as_bytes
from webchat.adapters.dynamodb.reader import LogReader
from webchat.adapters.dynamodb.steady import SteadyTable, key_of
from webchat.adapters.dynamodb.table import ConditionFailed, Item, Key, unrepeated, version
from webchat.model import ConvID, Invitation, Seq, Uid, user_log

_ANSWERED_KEPT: Final = 50
FinishRows = Callable[[ConvID, Sequence[Mark]], Awaitable[None]]
"""Has rows say what marks of a log stand for."""


class _Asked(msgspec.Struct, frozen=True):
    """What waits for a user in a group, with the `Seq` it follows from, and ids answered last.
    `claimed`: whether the user is about to come in."""

    waiting: tuple[tuple[Seq, Invitation], ...] = ()
    answered: tuple[str, ...] = ()
    claimed: bool = False

    def waits(self, invitation: Invitation) -> bool:
        """Whether it has not been answered."""
        return any(each.id == invitation.id for _, each in self.waiting)

    def answer(self) -> _Asked:
        """Nothing waits any more."""
        ids = (invitation.id for _, invitation in self.waiting)
        return _Asked((), (*self.answered, *ids)[-_ANSWERED_KEPT:])


_decode: Final = msgspec.json.Decoder(_Asked).decode


class DynamoInvitations:
    """See `ports/invitations.py`."""

    def __init__(self, table: SteadyTable, reader: LogReader, finish_rows: FinishRows) -> None:
        self._table = table
        self._reader = reader
        self._finish_rows = finish_rows

    async def of_user(self, uid: Uid, limit: int) -> Sequence[Invitation]:
        """The newest that wait for the user, newest first."""
        waiting = await self._waiting(uid)
        waiting.sort(key=lambda each: (each[1].at, each[0]), reverse=True)
        return [invitation for _, invitation in waiting[:limit]]

    async def find(self, uid: Uid, invitation_id: str) -> Invitation | None:
        """The user's invitation of that id."""
        found = [each for _, each in await self._waiting(uid) if each.id == invitation_id]
        return found[0] if found else None

    async def asked_among(self, conv: ConvID, uids: Sequence[Uid]) -> AbstractSet[Uid]:
        """Those of `uids` for whom an invitation waits, or is to: a mark says so until it is."""
        logs = [conv, *map(user_log, uids)] if uids else []
        for log, head in (await self._reader.heads(logs)).items():
            if head.marks:
                await self._finish_rows(log, head.marks)
        asked = {keys.asked(conv, uid): uid for uid in uids}
        found = await self._table.get_many(asked)
        return {asked[key] for key, item in found.items() if _read(item).waiting}

    async def claim(self, invitation: Invitation) -> bool:
        """The user is about to come in by it."""
        is_waiting = False

        def claim(item: Item | None) -> Item | None:
            nonlocal is_waiting
            asked = _read(item)
            is_waiting = asked.waits(invitation)
            if not is_waiting or asked.claimed:
                return None
            return _item(msgspec.structs.replace(asked, claimed=True))

        await self._table.change(keys.asked(invitation.conv, invitation.uid), claim)
        return is_waiting

    async def decline(self, invitation: Invitation) -> bool:
        """All invitations of the user to the group are answered, unless one is claimed."""
        is_declined = was_claimed = False

        def decline(item: Item | None) -> Item | None:
            nonlocal is_declined, was_claimed
            asked = _read(item)
            # That of an attempt of its own that timed out, too: the claim is still under way.
            was_claimed = was_claimed or asked.claimed
            waits = asked.waits(invitation)
            is_declined = waits and not was_claimed
            if is_declined:
                return _item(asked.answer())
            if waits and asked.claimed:
                return _item(msgspec.structs.replace(asked, claimed=False))
            return None

        await self._table.change(keys.asked(invitation.conv, invitation.uid), decline)
        return is_declined

    async def drop(self, uid: Uid, conv: ConvID) -> None:
        """All invitations of the user to `conv` are answered."""

        def answer(item: Item | None) -> Item | None:
            asked = _read(item)
            return _item(asked.answer()) if asked.waiting else None

        await self._table.change(keys.asked(conv, uid), answer)

    async def _waiting(self, uid: Uid) -> list[tuple[Seq, Invitation]]:
        """What waits for the user, by the places that say where something may; those where nothing
        does any more go."""
        span = keys.prefixed(keys.user(uid), keys.INVITATION)
        places = {
            keys.asked(str(item["sk"]).removeprefix(keys.INVITATION), uid): item
            async for item in self._table.items(span)
        }
        found = await self._table.get_many(places)
        asked = {key: _read(found.get(key)).waiting for key in places}
        empty = [place for key, place in places.items() if not asked[key] and "ver" in place]
        await self._table.each(self._leave, empty)
        return [each for waiting in asked.values() for each in waiting]

    async def _leave(self, place: Item) -> None:
        """Remove a place, unless it was put again since it was read."""
        with suppress(ConditionFailed):
            await self._table.delete(key_of(place), version(int(place["ver"])))


async def put_invitation(table: SteadyTable, invitation: Invitation, seq: Seq) -> None:
    """Keep what follows from the entry `seq`, unless it is kept, or was answered.

    The place by which its user finds it comes last, with another `ver` each time: so whoever finds
    a place and then nothing that waits can remove it, if it is the same still.
    """

    def ask(item: Item | None) -> Item | None:
        asked = _read(item)
        known = {each.id for _, each in asked.waiting}.union(asked.answered)
        if invitation.id in known:
            return None
        waiting = (*asked.waiting, (seq, invitation))
        return _item(msgspec.structs.replace(asked, waiting=waiting))

    await table.change(keys.asked(invitation.conv, invitation.uid), ask)
    place = Key(keys.user(invitation.uid), f"{keys.INVITATION}{invitation.conv}")
    await table.put({**place._asdict(), "ver": unrepeated()})


def waiting_in(item: Item) -> list[Invitation]:
    """What waits according to an item beside a group."""
    return [invitation for _, invitation in _read(item).waiting]


def _read(item: Item | None) -> _Asked:
    return _decode(as_bytes(item["asked"])) if item else _Asked()


def _item(asked: _Asked) -> Item:
    return {"asked": msgspec.json.encode(asked)}
