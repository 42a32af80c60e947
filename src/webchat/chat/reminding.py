"""After an outage of the bus: devices hear where their user is, as the store has it.

Another node's `position` may have been lost, and nothing else would bring it again
(docs/protocol.md, section 2, `position`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from webchat.chat.device import Device
from webchat.chat.followed import User
from webchat.chat.packets import position_packet
from webchat.chat.roster import Roster
from webchat.chat.settings import RepairSettings
from webchat.chat.tools import Tools
from webchat.model import ConvID, Position, Uid, furthest
from webchat.protocol.socketio import Packet
from webchat.service.apart import Apart
from webchat.service.tasks import OneAtATime

_Page = tuple[Uid, tuple[ConvID, ...]]
"""Of a user's conversations."""


class Reminding:
    """Users one after the other, their conversations in pages."""

    def __init__(self, roster: Roster, tools: Tools, settings: RepairSettings) -> None:
        self._roster = roster
        self._positions = tools.store.positions
        self._spawn = tools.spawn
        self._settings = settings
        self._pages: Apart[None, _Page] = Apart(
            self._remind, 1, "positions", tools.patience, tools.spawn
        )
        self._all = OneAtATime(self._remind_all, tools.spawn)

    def remind(self) -> None:
        """Read the positions of all who are here, and say those that may not be known."""
        self._all.ask()

    async def _remind_all(self) -> None:
        page = self._settings.positions_page
        for user in list(self._roster.users.values()):
            convs = tuple([conv for conv in user.logs if conv != user.own])
            for start in range(0, len(convs), page):
                await self._pages.act_on(None, [(user.uid, convs[start : start + page])])

    async def _remind(self, _: None, pages: Sequence[_Page]) -> None:
        for uid, convs in pages:
            user = self._roster.arrived(uid)
            if user is not None and any(device.full for device in user.devices):
                self._say(user, await self._positions.of_user(uid, convs))

    def _say(self, user: User, positions: Mapping[ConvID, Position]) -> None:
        packets = []
        for conv, position in positions.items():
            before = user.told.get(conv)
            told = position if before is None else furthest(before, position)
            if told != before:
                packets.append(position_packet(conv, told))
                user.told = user.told or {}
                user.told[conv] = told
        for device in user.devices:
            if device.full and packets:
                self._show(device, packets)

    def _show(self, device: Device, packets: Sequence[Packet]) -> None:
        if device.socket.congested:
            self._spawn(_show_when_drained(device, packets))
        else:
            for packet in packets:
                device.socket.emit(packet)


async def _show_when_drained(device: Device, packets: Sequence[Packet]) -> None:
    await device.socket.drained()
    for packet in packets:
        device.socket.emit(packet)
