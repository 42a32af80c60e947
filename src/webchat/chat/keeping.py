"""Receipts for authors of the seed's form who are nowhere: kept, and handed over once (open mode).

Source: docs/protocol.md, section 2, "Seed's form".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from webchat.chat.device import Device
from webchat.chat.packets import KeptReceipt, as_delivery, kept_packet, read_kept
from webchat.chat.roster import Roster
from webchat.chat.tools import Tools
from webchat.chat.topics import KEPT
from webchat.model import Uid, user_log
from webchat.service.apart import Apart
from webchat.service.profiles import Profiles
from webchat.service.tasks import OneAtATime
from webchat.service.turns import Turns

_log = structlog.get_logger()
_PAGE: Final = 100


@dataclass(frozen=True, slots=True)
class KeptSettings:
    """`kept_receipts`: how many are kept for an absent user (open mode), 0: none."""

    kept_receipts: int = 0


class Keeping:
    """What is kept is looked for at the author's `join`, and told of once it is durable: so an
    author who comes back in between gets it as well, on whichever node."""

    def __init__(
        self, roster: Roster, profiles: Profiles, tools: Tools, settings: KeptSettings
    ) -> None:
        self._profiles = profiles
        self._kept = tools.store.kept
        self._roster = roster
        self._bus = tools.bus
        self._patience = tools.patience
        self._spawn = tools.spawn
        self._newest = settings.kept_receipts
        self._waiting: dict[Uid, list[bytes]] = {}
        self._turns = Turns()
        self._each: Apart[None, Uid] = Apart(
            self._look_for, 1, "kept receipts", tools.patience, tools.spawn
        )
        self._all = OneAtATime(self._look_for_all, tools.spawn)

    @property
    def is_on(self) -> bool:
        """Whether anything is kept at all."""
        return self._newest > 0

    def keep(self, uid: Uid, envelopes: Sequence[bytes]) -> None:
        """Keep receipts of one author, in this order, as soon as the store takes them."""
        is_idle = uid not in self._waiting
        self._waiting[uid] = [*self._waiting.get(uid, ()), *envelopes][-self._newest :]
        if is_idle:
            self._spawn(self._write(uid))

    async def _write(self, uid: Uid) -> None:
        while envelopes := self._waiting[uid]:
            self._waiting[uid] = []
            await self._patience.attempt(
                lambda: self._kept.keep(uid, envelopes, self._newest),
                "keeping receipts",
                uid=uid,
            )
        del self._waiting[uid]
        self.heard(uid)
        self._bus.publish((user_log(uid),), KEPT)

    def heard(self, uid: Uid) -> None:
        """Something was kept for an author who may be here by now."""
        for device in self._roster.devices_of(uid):
            if not device.full:
                self._spawn(self.hand_over(device))

    def look_again(self) -> None:
        """The bus is back: others kept what they could not tell authors who were here. Who they
        were is not known: it is looked for one author after the other."""
        if self.is_on:
            self._all.ask()

    async def _look_for_all(self) -> None:
        for uid in list(self._roster.users):
            try:
                await self._each.act_on(None, (uid,))
            except Exception:
                _log.exception("kept receipts of one author cannot be handed over", uid=uid)

    async def _look_for(self, _: None, uids: Sequence[Uid]) -> None:
        for uid in uids:
            for device in self._roster.devices_of(uid):
                if not device.full:
                    await self._begin_to_hand_over(device)

    async def _begin_to_hand_over(self, device: Device) -> None:
        """Nobody else waits while a socket takes no more, or much."""
        given: set[KeptReceipt] = set()
        if device.socket.congested or await self._hand_over_page(device, given):
            self._spawn(self.hand_over(device, given))

    async def hand_over(self, device: Device, given: set[KeptReceipt] | None = None) -> None:
        """Give a device what is kept for its user: once at most, also where it was kept twice
        because the store had not answered. `given`: what it got of it before."""
        uid, given = device.user.uid, set() if given is None else given
        is_more = True
        while is_more and not device.socket.closed:
            await device.socket.drained()
            is_more = await self._patience.insist(
                lambda: self._hand_over_page(device, given), "kept receipts", uid=uid
            )

    async def _hand_over_page(self, device: Device, given: set[KeptReceipt]) -> bool:
        """Whether anything was kept. Raises WebchatError(UNAVAILABLE)."""
        uid = device.user.uid
        async with self._turns.of(uid):  # In the order in which they were kept.
            envelopes = await self._take(device)
            for envelope in await self._without_hidden(uid, envelopes):
                if (receipt := read_kept(envelope)) not in given:
                    given.add(receipt)
                    device.socket.emit(kept_packet(envelope))
        return bool(envelopes)

    async def _take(self, device: Device) -> Sequence[bytes]:
        """A page of what is kept. It stays kept if the device has gone while this waited."""
        if device.socket.closed:
            return ()
        return await self._kept.take(device.user.uid, _PAGE)

    async def _without_hidden(self, uid: Uid, envelopes: Sequence[bytes]) -> list[bytes]:
        """As it is by now: somebody may have turned display receipts off since they were kept."""
        said = [read_kept(envelope) for envelope in envelopes]
        readers = {each.reader for each in said if each.is_display}
        if not readers:
            return list(envelopes)
        hiding = await self._patience.insist(
            lambda: self._profiles.hiding([uid, *readers]), "who hides displays", uid=uid
        )

        def is_hidden(each: KeptReceipt) -> bool:
            return each.is_display and (uid in hiding or each.reader in hiding)

        told = {each.what for each in said if not each.is_display}
        return [
            as_delivery(envelope) if is_hidden(each) else envelope
            for each, envelope in zip(said, envelopes, strict=True)
            if not (is_hidden(each) and each.what in told)
        ]
