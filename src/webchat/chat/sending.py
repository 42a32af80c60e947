"""What becomes of an append that a connection asked for: published, passed on, acknowledged."""

from __future__ import annotations

from webchat.chat.client import Client
from webchat.chat.device import Device
from webchat.chat.hub import Hub
from webchat.chat.notices import Notices
from webchat.errors import Code, WebchatError
from webchat.ports.log import Append, Appended, Log
from webchat.service.receipts import Receipts


class Sender:
    """Appends for connections. One object and no task for each."""

    def __init__(self, log: Log, hub: Hub, receipts: Receipts, notices: Notices) -> None:
        self.log = log
        self.hub = hub
        self.receipts = receipts
        self.notices = notices

    def append(self, client: Client, device: Device, ack_id: int | None, append: Append) -> None:
        """Queue an append; what becomes of it reaches the device by itself."""
        self.log.append(append, _Sending(self, client, device, ack_id, append.drafts[0].msg_id))

    def stored(self, appended: Appended, device: Device, ack_id: int | None) -> None:
        """Bring what is durable now to everybody, and the ack to who asked for it."""
        (entry,) = appended.entries
        hub = self.hub
        hub.publish(entry)
        if ack_id is None:
            hub.pass_on(entry)
        else:
            hub.pass_on(entry, device, ack_id)
        for followed in appended.followed:
            hub.publish(followed)
            hub.pass_on(followed)
        if not appended.fresh:
            return
        if appended.moved is not None:
            self.receipts.moved_by_own_message(appended.moved)
        else:
            self.notices.say_position(entry.conv, device.user.uid)


class _Sending:
    """The `done` of one append."""

    __slots__ = ("ack_id", "client", "device", "msg_id", "sender")

    def __init__(
        self, sender: Sender, client: Client, device: Device, ack_id: int | None, msg_id: str
    ) -> None:
        self.sender = sender
        self.client = client
        self.device = device
        self.ack_id = ack_id
        self.msg_id = msg_id

    def __call__(self, result: Appended | Exception) -> None:
        if isinstance(result, Appended):
            self.sender.stored(result, self.device, self.ack_id)
        elif isinstance(result, WebchatError):
            self.client.refuse(self.ack_id, result, self.msg_id)
        else:
            error = WebchatError(Code.INTERNAL, "the message could not be stored")
            self.client.refuse(self.ack_id, error, self.msg_id)
