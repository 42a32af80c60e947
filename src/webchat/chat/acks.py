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
    """An ack that is sent when two things have happened: everything before its entry has been sent
    to the connection, or is not sent at all (`is_due`); and the bus has answered for the entry, be
    it that the publish failed (`is_published`).

    `ack_id`: None if the client asked for no ack. `entry`: what it acknowledges; None until its
    place among what the connection is sent is known, and then it is not due either.
    """

    device: Device
    ack_id: int | None
    conv: ConvID
    publishing: Publishing
    entry: Entry | None = None
    is_due: bool = False
    is_published: bool = False

    def await_bus(self) -> None:
        """The bus is asked: `published` has its answer, at once or later."""
        self.publishing.stats.waiting_acks += 1

    def published(self, result: int | Exception) -> None:
        """The bus has answered, well or not."""
        self.publishing.stats.waiting_acks -= 1
        if isinstance(result, Exception):
            self.publishing.failed(self.conv)
        self.is_published = True
        if self.entry is not None:
            self.device.go_on_after(self, self.entry)

    def is_for(self, entry: Entry) -> bool:
        """Whether `entry` is what is being appended; here nothing is any more."""
        return False


def in_flight(device: Device, entry: Entry) -> OwnAck | None:
    """The ack for `entry`, if this connection is having it appended and the ack has no place yet.

    An entry may come by before the store has answered its sender, and more than once.
    """
    ack = device.in_flight.get(entry.msg_id) if device.in_flight else None
    is_its = ack is not None and ack.entry is None and ack.is_for(entry)
    return ack if is_its and entry.sender == device.user.uid else None


def comes_instead(entry: Entry) -> bool:
    """Whether the device that had an entry appended gets the ack in its place. A `join` it gets as
    well, and then the ack."""
    return entry.kind != JOIN
