"""Snapshots: where everybody is in the conversations that a device asks for.

What was asked for is remembered, the newest of it: after an outage of the bus it is said again,
since receipts that were published meanwhile have passed this node by (docs/protocol.md, 6).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from webchat.chat.device import Device
from webchat.chat.packets import position_packet, receipts_packet
from webchat.chat.roster import Roster
from webchat.chat.tools import Tools
from webchat.model import NO_POSITION, ConvID, Position, Seq, Uid, furthest
from webchat.service.apart import Apart
from webchat.service.read_positions import ReadPositions
from webchat.service.tasks import OneAtATime
from webchat.service.turns import Turns

_Rows = Sequence[tuple[object, Seq, Seq]]

_READS: Final = 5
"""At most of one snapshot, while it is overtaken each time."""


class Snapshots:
    """`remembered`: of one device, how many conversations at most."""

    def __init__(
        self, roster: Roster, readers: ReadPositions, tools: Tools, remembered: int
    ) -> None:
        self._roster = roster
        self._readers = readers
        self._positions = tools.store.positions
        self._spawn = tools.spawn
        self._remembered = remembered
        self._all = OneAtATime(self._show_all_again, tools.spawn)
        self._wanted: dict[Device, dict[ConvID, None]] = {}
        self._each: Apart[Device, ConvID] = Apart(
            self._show_each, 1, "a snapshot", tools.patience, tools.spawn, self._want
        )
        self._turns = Turns()

    def ask(self, device: Device, convs: Sequence[ConvID]) -> None:
        """Show them soon; those that the device's user has no part in are passed over."""
        user = device.user
        mine = [c for c in dict.fromkeys(convs) if c in user.logs and c != user.own]
        before = [conv for conv in device.watched if conv not in mine]
        device.watched = (*before, *mine)[-self._remembered :]
        self._want(device, mine)

    def _want(self, device: Device, convs: Iterable[ConvID]) -> None:
        wanted = dict.fromkeys(convs)
        if device in self._wanted:
            self._wanted[device].update(wanted)
        elif wanted:
            self._wanted[device] = wanted
            self._spawn(self._show_wanted(device))

    async def _show_wanted(self, device: Device) -> None:
        """At the pace of its socket; what is asked for again before it was shown is shown once."""
        wanted = self._wanted[device]
        try:
            while wanted and not device.socket.closed:
                await device.socket.drained()
                conv = next(iter(wanted))
                del wanted[conv]
                await self._show(device, (conv,))
        finally:
            del self._wanted[device]

    def show_again(self) -> None:
        """Show every device here what it has asked for, one device after the other."""
        self._all.ask()

    async def _show_all_again(self) -> None:
        for user in list(self._roster.users.values()):
            for device in list(user.devices):
                if device.socket.congested:  # nobody waits for it
                    self._spawn(self._show_when_drained(device))
                else:
                    await self._show(device, device.watched)

    async def _show_when_drained(self, device: Device) -> None:
        await device.socket.drained()
        await self._show(device, device.watched)

    async def _show(self, device: Device, convs: Sequence[ConvID]) -> None:
        """Each once."""
        for conv in convs:
            await self._each.act_on(device, (conv,))

    async def _show_each(self, device: Device, convs: Sequence[ConvID]) -> None:
        """Unless nobody is to see it any more."""
        user = device.user
        for conv in convs:
            async with self._turns.of(user.uid):  # one at a time: each may be a long read
                if conv in user.logs and not device.socket.closed:
                    rows, position = await self._read(conv, user.uid)
                    self._show_position(device, conv, position)
                    device.socket.emit(receipts_packet(conv, rows))

    async def _read(self, conv: ConvID, uid: Uid) -> tuple[_Rows, Position]:
        """Again if the user is told of positions there meanwhile, since what was read before would
        take them back. Where that has no end, the last that was read has to do."""
        under_way, this = self._roster.snapshots, (conv, uid)
        try:
            for _ in range(_READS):
                under_way[this] = False
                positions = await self._positions.of_user(uid, [conv])
                rows = await self._readers.snapshot(conv, uid)  # last: counts are as of now
                if not under_way[this]:
                    break
        finally:
            del under_way[this]
        return rows, positions.get(conv, NO_POSITION)

    def _show_position(self, device: Device, conv: ConvID, position: Position) -> None:
        """Or a newer one that was told; if that was older, the user's other devices hear of this.

        Where they were told of none they may know it, by own messages: it does not count as told.
        """
        user, devices = device.user, [device]
        others = [each for each in user.devices if each.full and each is not device]
        before = user.told.get(conv)
        if before is not None:
            position = furthest(before, position)
        if position != before and (before is not None or not others):
            user.told = user.told or {}
            user.told[conv] = position
            devices += others
        packet = position_packet(conv, position)
        for each in devices:
            each.socket.emit(packet)
