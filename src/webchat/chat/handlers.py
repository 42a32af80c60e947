"""What a connection may say, and which flow answers it: the Handler of the chat endpoint.

A known envelope is dealt with in one plain call. What needs a look into the store becomes a task,
behind which the same connection's next events wait in order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog

from webchat.chat.amending import Amending
from webchat.chat.client import Act, Client
from webchat.chat.confirming import Confirming
from webchat.chat.device import Device
from webchat.chat.gate import Gate, Gates
from webchat.chat.governing import Governing
from webchat.chat.grouping import Groups
from webchat.chat.identity import Identity
from webchat.chat.joining import Joining
from webchat.chat.rates import Bucket, Rates
from webchat.chat.sending import Sender
from webchat.chat.tools import Tools
from webchat.errors import Closing, Code, WebchatError
from webchat.model import MESSAGE, Uid, is_group, pair_conv
from webchat.ports.clock import pause
from webchat.ports.log import Append
from webchat.protocol.envelope import Envelope, NamedEvent, decode_chat
from webchat.protocol.socketio import Event, ProtocolError, decode_event
from webchat.service.amend import KINDS as AMENDMENTS
from webchat.service.profiles import Profiles
from webchat.service.send import check_message, pair_message
from webchat.service.tasks import Work
from webchat.service.turns import Turns
from webchat.session.handler import Socket

Said = Callable[[Client, Device, Envelope, "int | None"], "Work | None"]
"""Takes what comes often: one plain call where nothing has to be looked up."""
_RECEIPTS: Final = frozenset({"delivery", "display"})
_LISTING: Final = frozenset({"create", "refer", "remove", "rejoin"})
_SNAPSHOTS: Final = 10
"""So many snapshots asked for are as much work as an event."""
_LISTS_CHARS: Final = 160_000
"""A thousand cursors, or uids, have less; an event longer than that and what is free in it is not
even decoded, which can take long."""
_EVENTS_A_TURN: Final = 50
"""So many that waited are answered before others have their turn."""
_SOUGHT_PER_S: Final = 2
_SOUGHT_BURST: Final = 20
"""A tenth of how often messages are sought in groups' logs for all of a user's connections, which
for this are not counted one by one."""
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ChatSettings:
    """`text_bytes`: of a message in UTF-8; `extension_bytes`: of optional fields in an envelope;
    `list_uids`: most uids in one list that a client sends, of which `people_per_event` are as much
    work as an event; `gated_events`, `gated_bytes`: how many events of one connection may wait
    behind a look into the store, and how much memory they may take; `refusals_burst`: how many
    events of a connection are refused at once for coming fast, or for being none, and then as many
    a second as it may say; one that sends still more is not read for a while."""

    text_bytes: int = 16 * 1024
    extension_bytes: int = 4_096
    list_uids: int = 1_000
    people_per_event: int = 50
    rate_events_per_s: float = 30.0
    rate_burst: int = 300
    refusals_burst: int = 1_000
    gated_events: int = 10_000
    gated_bytes: int = 4_194_304


class ChatHandler:
    """Session to flows: the `Handler` that an endpoint is given."""

    def __init__(
        self,
        identity: Identity,
        joining: Joining,
        sender: Sender,
        confirming: Confirming,
        groups: Groups,
        governing: Governing,
        amending: Amending,
        profiles: Profiles,
        tools: Tools,
        settings: ChatSettings,
    ) -> None:
        self._identity = identity
        self._joining = joining
        self._sender = sender
        self._groups = groups
        self._profiles = profiles
        self._clock = tools.clock
        self._open_mode = tools.open_mode
        self._spawn = tools.spawn
        self._stats = tools.stats
        self._settings = settings
        free_chars = 6 * (settings.text_bytes + settings.extension_bytes)  # all of it as \\uXXXX
        self._event_chars = _LISTS_CHARS + free_chars
        self._rates = Rates(
            settings.rate_events_per_s, settings.rate_burst, by_user=not tools.open_mode
        )
        self._refusals = Rates(
            settings.rate_events_per_s,
            max(settings.refusals_burst, settings.rate_burst),
            by_user=False,
        )
        self._gates = Gates(
            settings.gated_events, settings.gated_bytes, by_user=not tools.open_mode
        )
        self._sought = Rates(_SOUGHT_PER_S, _SOUGHT_BURST, by_user=True)
        self._draining = False
        self._turns = Turns()
        self._said: Mapping[str, Said] = {
            MESSAGE: self._message,
            "delivery": confirming.receipt,
            "display": confirming.receipt,
        }
        self._acts: Mapping[str, Callable[[Act], Work]] = {
            "create": groups.create,
            "refer": groups.refer,
            "depart": groups.depart,
            "rejoin": groups.rejoin,
            "role": governing.role,
            "remove": governing.remove,
            "group": governing.group,
            "close": governing.close,
            **{kind: partial(amending.amend, kind) for kind in AMENDMENTS},
        }

    # The Handler

    async def connect(self, socket: Socket, auth: object) -> None:
        """Say who it is. Raises ConnectRefused."""
        uid, login_id = await self._identity.of(socket, auth)
        socket.state = Client(socket, uid, login_id, self._stats)

    def connected(self, socket: Socket) -> None:
        """It may speak now."""
        self._identity.entered(socket.state)

    def disconnected(self, socket: Socket) -> None:
        """It is gone."""
        client: Client = socket.state
        if client.gate is not None:
            client.gate.clear()
        self._joining.leave(client)
        self._identity.left(client)

    def event(self, socket: Socket, event: Event) -> None:
        """One event, in the order they were sent. Raises ProtocolError."""
        client: Client = socket.state
        if client.gate is None:
            later = self._answer(client, event)
            if later is not None:
                client.gate = Gate(self._gates, client.uid)
                self._spawn(self._through_gate(client, later))
        elif not client.gate.put(event):
            socket.close(Closing.SLOW_CONSUMER, "too much was sent without waiting for answers")

    def drain(self) -> None:
        """The server is going: what still comes is refused with `unavailable`."""
        self._draining = True

    # One event after another

    async def _through_gate(self, client: Client, later: Work | None) -> None:
        gate, answered = client.gate, 0
        while later is not None or gate:
            if later is not None:
                await later
            later, answered = None, answered + 1
            if answered % _EVENTS_A_TURN == 0:
                await asyncio.sleep(0)
            if gate and not client.socket.closed:
                try:
                    later = self._answer(client, gate.next())
                except ProtocolError as error:
                    client.socket.close(Closing.PROTOCOL_ERROR, str(error))
            elif gate:
                gate.clear()
        client.gate = None

    def _answer(self, client: Client, event: Event) -> Work | None:
        """Deal with one event; what is returned is the rest of it."""
        ack_id, msg_id = event.ack_id, None
        said: Envelope | NamedEvent | None = None
        try:
            if event.attachments and len(event.data) <= self._event_chars:
                decode_event(event)  # A placeholder without its attachment breaks the protocol.
            said = decode_chat(event.data, self._settings.extension_bytes, self._event_chars)
            if isinstance(said, tuple):
                later: Work | None = self._other(client, said, ack_id)
            else:
                msg_id = said.msg_id
                later = self._chat(client, said, event)
        except WebchatError as error:
            if said is None:
                msg_id = error.msg_id
            if said is None or error.code is Code.RATE_LIMITED:
                self._count_refusal(client)
            client.refuse(ack_id, error, msg_id)
            return None
        except ProtocolError:
            raise
        except Exception:
            self._fail(client, ack_id, msg_id)
            return None
        return None if later is None else self._finish(client, ack_id, msg_id, later)

    async def _finish(
        self, client: Client, ack_id: int | None, msg_id: str | None, later: Work
    ) -> None:
        try:
            await later
        except WebchatError as error:
            client.refuse(ack_id, error, msg_id)
        except Exception:
            self._fail(client, ack_id, msg_id)

    def _count_refusal(self, client: Client) -> None:
        """A refusal costs nearly as much as what is refused: whoever asks for many is held back."""
        if client.refusals is None:
            client.refusals = Bucket()
        if self._refusals.take(client.refusals, None, self._clock.monotonic_s()):
            client.socket.rest()

    def _fail(self, client: Client, ack_id: int | None, msg_id: str | None) -> None:
        """A fault of our own: the events behind it are dealt with all the same."""
        _log.exception("an event failed")
        client.refuse(ack_id, WebchatError(Code.INTERNAL, "that went wrong here"), msg_id)

    # What it says

    def _chat(self, client: Client, envelope: Envelope, event: Event) -> Work | None:
        if self._draining:
            raise _going()
        if event.attachments:
            raise WebchatError(Code.BAD_REQUEST, "chat takes no binary attachments")
        kind, device = envelope.evt_type, client.device
        if kind not in _RECEIPTS:
            # A list's uids have no commas in them.
            listed = envelope.body.count(",") if kind in _LISTING else 0
            self._check_rate(client, 1 + listed // self._settings.people_per_event)
        if device is None:
            if not self._joins_by_itself(client):
                raise WebchatError(Code.UNAUTHENTICATED, "join first")
            return self._join_then(client, envelope, event)
        said = self._said.get(kind)
        if said is not None:
            later = said(client, device, envelope, event.ack_id)
            if later is None or kind == MESSAGE:
                return later
        elif kind in self._acts:
            later = self._acts[kind](Act(client, device, envelope, event.ack_id))
        else:
            raise WebchatError(Code.BAD_REQUEST, "unknown EvtType")
        if kind in _RECEIPTS and is_group(envelope.to):
            later = self._in_time(device.user.uid, later)
        key = (device.user.uid, envelope.msg_id) if envelope.msg_id else client
        return self._in_turn(client, device, key, envelope.to, later)

    async def _in_turn(
        self, client: Client, device: Device, key: Hashable, to: str, later: Work
    ) -> None:
        """Do it behind what the connection has said in that conversation, what is held, too. What
        may be under way already, sent over another connection before, is done when that is done:
        else it could be refused here and done there after all."""
        with closing(later):
            await client.settled(to if is_group(to) else pair_conv(device.user.uid, to))
            async with self._turns.of(key):
                await self._groups.append_held(device, to)
                await later

    async def _in_time(self, uid: Uid, later: Work) -> None:
        """A receipt is not refused for coming fast. One whose message has to be sought in a group's
        log, among many, waits its time, and for others such of the same user."""
        with closing(later):
            async with self._turns.of(uid):
                while wait_ms := self._sought.take(Bucket(), uid, self._clock.monotonic_s()):
                    await pause(self._clock, wait_ms / 1000)
                await later

    def _joins_by_itself(self, client: Client) -> bool:
        return self._open_mode and client.socket.request.engine == 3

    async def _join_then(self, client: Client, envelope: Envelope, event: Event) -> None:
        await self._joining.join_sender(client, envelope.originated or envelope.from_)
        later = self._chat(client, envelope, event) if client.device is not None else None
        if later is not None:
            await later

    def _other(self, client: Client, said: NamedEvent, ack_id: int | None) -> Work:
        """`join` and `sync`."""
        if self._draining:
            raise _going()
        name, args = said
        self._check_rate(client, 1 + _snapshots_asked(args) // _SNAPSHOTS)
        if name == "join":
            return self._joining.join(client, args, ack_id)
        if name == "sync":
            return self._joining.sync(client, args, ack_id)
        raise WebchatError(Code.BAD_REQUEST, "unknown event")

    def _check_rate(self, client: Client, events: int) -> None:
        wait_ms = self._rates.take(client, client.uid, self._clock.monotonic_s(), events)
        if wait_ms:
            raise WebchatError(Code.RATE_LIMITED, "too many events at once", retry_after_ms=wait_ms)

    def _message(
        self, client: Client, device: Device, envelope: Envelope, ack_id: int | None
    ) -> Work | None:
        uid, to = device.user.uid, envelope.to
        conv = pair_conv(uid, to)
        is_new = conv not in device.user.logs  # else `to` is a user's id, which need not be shown
        if is_new and is_group(to):
            return self._groups.message(client, device, envelope, ack_id)
        check_message(uid, envelope, self._settings.text_bytes, is_new=is_new)
        append = pair_message(uid, envelope, conv, is_new=is_new, moves=device.full)
        if is_new:
            known = self._profiles.peek(to)
            if known is None or known.disabled:
                return self._to_somebody_new(client, device, to, ack_id, append)
        self._sender.append(client, device, ack_id, append)
        return None

    async def _to_somebody_new(
        self, client: Client, device: Device, to: Uid, ack_id: int | None, append: Append
    ) -> None:
        profile = await self._profiles.get(to)
        if profile is None or profile.disabled:
            raise WebchatError(Code.UNKNOWN_USER, f"there is no user {to}")
        self._sender.append(client, device, ack_id, append)


def _going() -> WebchatError:
    return WebchatError(Code.UNAVAILABLE, "the server is going; send it again")


def _snapshots_asked(args: Sequence[object]) -> int:
    """How many snapshots of receipts a `join` or `sync` asks for, whatever else is wrong in it."""
    asked = args[0].get("receipts") if args and isinstance(args[0], dict) else None
    return len(asked) if isinstance(asked, list) else 0
