"""What must hold of devices of the seed's form when a story has come to rest."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from tests.properties.ledger import Ledger, only
from tests.sim.page import SEED
from tests.sim.receipts import TOLD, readers_of, was_lossy, written_in
from tests.sim.seed_device import SeedDevice
from tests.sim.violations import require
from webchat.model import NO_POSITION, Position

if TYPE_CHECKING:
    from tests.sim.world import World

_ANSWERED_S: Final = 3.0


class PageChecks:
    """Compares pages with the logs."""

    def __init__(self, world: World, ledgers: Mapping[str, Ledger]) -> None:
        self._world = world
        self._ledgers = ledgers
        self._pages = [device for device in world.devices if isinstance(device, SeedDevice)]

    async def all(self) -> None:
        """Raises Violation for the first promise that does not hold."""
        for device in self._pages:
            await self._check_messages(device)
            self._check_lists(device)
        await self._check_who_is_in()
        positions = self._world.engine.truth.positions
        for conv, ledger in self._ledgers.items() if self._pages else ():
            places = await positions.of_members(conv, sorted(ledger.spans))
            for device in self._pages:
                self._check_told(device, conv, ledger, places)
                self._check_is_told(device, conv, ledger, places)

    async def _check_messages(self, device: SeedDevice) -> None:
        """It has had the newest message of others, or its user has confirmed that on another
        device; and nothing that is not for it."""
        truth: Any = self._world.engine.truth
        positions = await truth.positions.of_user(device.uid, list(self._ledgers))
        for conv, ledger in self._ledgers.items():
            got = device.page.got.get(conv, set())
            too_much = got - ledger.visible(device.uid, 0, len(ledger.entries))
            require(
                ledger.was_open or not too_much,
                SEED,
                f"{device.name} has {sorted(too_much)} of {conv}",
            )
            if ledger.is_in(device.uid):
                newest = _newest_of_others(device.uid, ledger)
                has = max(positions.get(conv, NO_POSITION).delivered, *got, 0)
                said = f"{device.name} has {conv} up to {has}, not {newest}"
                require(has >= newest, "nobody is forgotten", said)

    def _check_lists(self, device: SeedDevice) -> None:
        """Each list that it was sent is the one of its place in the log."""
        for conv, seq, uids in device.page.notified:
            meant = self._ledgers[conv].members_at(seq)
            said = f"{device.name} was sent {uids} as of {seq} of {conv}, not {meant}"
            require(sorted(uids) == meant, SEED, said)

    async def _check_who_is_in(self) -> None:
        """Once it has asked, it knows who is in each of its groups."""
        mine = [
            (device, conv)
            for device in self._pages
            for conv, ledger in self._ledgers.items()
            if not ledger.is_pair and ledger.is_in(device.uid)
        ]
        for device, conv in mine:
            device.act("rejoin", conv)
        await asyncio.sleep(_ANSWERED_S if mine else 0.0)
        for device, conv in mine:
            shown, members = device.page.lists.get(conv), self._ledgers[conv].members()
            said = f"{device.name} shows {shown} in {conv}, not {members}"
            require(sorted(set(shown or ())) == members, SEED, said)

    def _check_told(
        self, device: SeedDevice, conv: str, ledger: Ledger, places: Mapping[str, Position]
    ) -> None:
        """What it was told of its messages is so."""
        for (told_conv, msg_id), told in device.page.told.items():
            for kind, reader in told if told_conv == conv else ():
                found = only(ledger.entries, msg_id, device.uid)
                place = places.get(reader, NO_POSITION)
                at = place.displayed if kind == "display" else place.delivered
                said = f"{device.name}: {reader} has {kind} of {found} {msg_id} of {conv}, at {at}"
                require(len(found) == 1 and found[0] <= at, "receipts", said)

    def _check_is_told(
        self, device: SeedDevice, conv: str, ledger: Ledger, places: Mapping[str, Position]
    ) -> None:
        """It has been told of everybody who has a message that was written while it was there."""
        visit = device.visit
        if visit is None or was_lossy(self._world, visit):
            return
        for seq in written_in(visit, conv):
            msg_id = ledger.entries[seq - 1]["MsgID"]
            told = {reader for _, reader in device.page.told.get((conv, msg_id), ())}
            for reader in readers_of(self._world, ledger, device.uid):
                has = ledger.spans[reader][0][0] < seq <= places.get(reader, NO_POSITION).delivered
                said = f"{device.name}: {reader} has {seq} of {conv}, {msg_id}"
                require(not has or reader in told, TOLD, said)


def _newest_of_others(uid: str, ledger: Ledger) -> int:
    """The last message that others wrote since this member came in."""
    since = ledger.spans[uid][-1][0]
    theirs = [
        entry["Seq"]
        for entry in ledger.entries[since - 1 :]
        if entry["EvtType"] == "message" and (entry["Originated"] or entry["From"]) != uid
    ]
    return max(theirs, default=0)
