"""The ack of an entry that a connection had appended: it takes its place, and waits for the bus.

Source: docs/protocol.md, section 2; docs/architecture.md, "One message".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from webchat.chat.publishing import Publishing
from webchat.model import ConvID, Entry
from webchat.service.membership import JOIN

if TYPE_CHECKING:
    from webchat.chat.device import Device


class OwnAck(msgspec.Struct, eq=False):
    """It goes once its place in the connection's order has come and the bus has answered.

    `ack_id`: None where none was asked for. `entry`: what it is kept for, from when its place is
    known. `is_published`: the bus took the entry, or failed to. `is_due`: all that comes before it
    has been sent, or is not sent at all. `is_awaited`: the bus was asked, and did not answer at
    once.
    """

    device: Device
    ack_id: int | None
    conv: ConvID
    publishing: Publishing
    entry: Entry | None = None
    is_published: bool = False
    is_due: bool = False
    is_awaited: bool = False

    def await_bus(self) -> None:
        """The bus has been asked, and has not answered yet."""
        self.is_awaited = True
        self.publishing.stats.waiting_acks += 1

    def published(self, result: int | Exception) -> None:
        """The bus has answered, well or not."""
        if isinstance(result, Exception):
            self.publishing.failed(self.conv)
        self.is_published = True  # as `bus_answered`, written out: each message comes by here
        if self.is_awaited or self.entry is not None:
            self._go_on()

    def bus_answered(self) -> None:
        """All that the ack waits for has been published, or has failed to be."""
        self.is_published = True
        if self.is_awaited or self.entry is not None:
            self._go_on()

    def _go_on(self) -> None:
        if self.is_awaited:
            self.publishing.stats.waiting_acks -= 1
        if self.entry is not None:
            self.device.go_on_after(self, self.entry)

    def is_for(self, entry: Entry) -> bool:
        """Whether `entry` is what is being appended; here nothing is any more."""
        return False


def in_flight(device: Device, entry: Entry) -> OwnAck | None:
    """The ack of an entry that this connection is having appended, if the store has not said so
    yet and it has no place so far: entries may come by more than once."""
    ack = device.in_flight.get(entry.msg_id) if device.in_flight else None
    is_its = ack is not None and ack.entry is None and ack.is_for(entry)
    return ack if is_its and entry.sender == device.user.uid else None


def comes_instead(entry: Entry) -> bool:
    """Whether the ack takes an own entry's place. Who refers somebody gets the `join`, then the
    ack."""
    return entry.kind != JOIN
