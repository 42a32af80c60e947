"""The promises that are broken on purpose, of logs, receipts, and what nodes decide on together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tests.sim.checks import HELD, MEMBERSHIP
from tests.sim.faults import Episode
from tests.sim.node import Seams
from tests.sim.races import DELETED, INVITATIONS, LINKS, SETTINGS
from tests.sim.receipts import TOLD
from tests.sim.sabotage import Sabotage, Wrapped, in_log
from webchat.chat.attendance import Attendance
from webchat.chat.comparing import Comparing
from webchat.chat.device import Device
from webchat.chat.gaps import Gaps
from webchat.chat.hub import Hub
from webchat.chat.notices import Notices
from webchat.chat.packets import ack_of_entry
from webchat.chat.publishing import Publishing
from webchat.chat.repeating import Repeating
from webchat.chat.restarting import Restarting
from webchat.model import NO_HEAD, NO_POSITION, Invitation, InviteLink, seal
from webchat.ports.bus import PublishDone
from webchat.ports.log import Append, AppendDone, Appended
from webchat.ports.positions import Move, Moved, MoveDone
from webchat.service.own_account import OwnAccount

if TYPE_CHECKING:
    from tests.sim.world import World

IN_TIME: Final = "delivered in time"
ORDER: Final = "one order"
AGAIN: Final = "send again without fear"


def _ack_before_durable(world: World, log: Any, request: Append, done: AppendDone) -> None:
    head = world.engine.truth.log._state.heads.get(request.conv, NO_HEAD)
    entries = tuple(
        seal(draft, request.conv, head.last + at, head.n + (draft.kind == "message") * at, head.at)
        for at, draft in enumerate(request.drafts, 1)
    )
    world.loop.call_soon(done, Appended(entries, (), fresh=True))
    log.append(request, lambda _: None)


def _decide_on_no_members(world: World, log: Any, request: Append, done: AppendDone) -> None:
    log.append(msgspec.structs.replace(request, members_as_of=None), done)


def _decide_on_no_state(world: World, log: Any, request: Append, done: AppendDone) -> None:
    """Of an entry that is changed."""
    if request.follow is not None:
        changes = tuple(
            msgspec.structs.replace(change, as_of=None) for change in request.follow.changes
        )
        follow = msgspec.structs.replace(request.follow, changes=changes)
        request = msgspec.structs.replace(request, follow=follow)
    log.append(request, done)


def _ask_whoever(world: World, log: Any, request: Append, done: AppendDone) -> None:
    if request.conv.startswith("user:"):
        request = msgspec.structs.replace(request, members_as_of=None)
    log.append(request, done)


def _remember_no_visits(world: World) -> Seams:
    visits = count(1)

    def store(inner: Any) -> Any:
        async def use(link_id: str, visit: str) -> bool:
            used: bool = await inner.links.use(link_id, f"{visit} {next(visits)}")
            return used

        def append(request: Append, done: AppendDone) -> None:
            """Late: mostly who is refused looks again when the other one has come in."""
            world.loop.call_later(0.05, inner.log.append, request, done)

        log = Wrapped(inner.log, append=append)
        return Wrapped(inner, log=log, links=Wrapped(inner.links, use=use))

    return Seams(store=store)


def _count_links_first(world: World) -> Seams:
    def store(inner: Any) -> Any:
        async def add(code_hash: bytes, link: InviteLink, most: int, now: int) -> bool:
            if len(await inner.links.of_group(link.conv, now)) >= most:
                return False
            added: bool = await inner.links.add(code_hash, link, 2**30, now)
            return added

        return Wrapped(inner, links=Wrapped(inner.links, add=add))

    return Seams(store=store)


def _claim_nothing(world: World) -> Seams:
    def store(inner: Any) -> Any:
        async def claim(invitation: Invitation) -> bool:
            found = await inner.invitations.find(invitation.uid, invitation.id)
            return found is not None

        return Wrapped(inner, invitations=Wrapped(inner.invitations, claim=claim))

    return Seams(store=store)


def _announce_nothing(world: World, log: Any, request: Append, done: AppendDone) -> None:
    if request.follow is not None and request.follow.announce:
        follow = msgspec.structs.replace(request.follow, announce=())
        request = msgspec.structs.replace(request, follow=follow)
    log.append(request, done)


def _append_some_later(world: World, log: Any, request: Append, done: AppendDone) -> None:
    if world.rng.random() < 0.3:
        world.loop.call_later(0.05, log.append, request, done)
    else:
        log.append(request, done)


class _Forgetful(dict[Any, Any]):
    """Keys of idempotence that nobody remembers."""

    def __setitem__(self, key: Any, seq: Any) -> None:
        """Forget it at once."""


def _forget_keys(world: World) -> None:
    world.engine.truth.log._state.keys = _Forgetful()


def _store_no_receipts(world: World) -> Seams:
    def store(inner: Any) -> Any:
        def move(moves: Sequence[Move], done: MoveDone) -> None:
            said = [Moved(each.conv, each.uid, NO_POSITION, NO_POSITION) for each in moves]
            world.loop.call_soon(done, said)

        return Wrapped(inner, positions=Wrapped(inner.positions, move=move))

    return Seams(store=store)


def _answer_at_once(world: World) -> Seams:
    def bus(inner: Any) -> Any:
        def publish(topics: Sequence[str], payload: bytes, done: PublishDone | None = None) -> None:
            inner.publish(topics, payload)
            if done is not None:
                done(1)

        return Wrapped(inner, publish=publish)

    return Seams(bus=bus)


def _no_lease_watched(world: World) -> Seams:
    return Seams(chat=lambda chat: setattr(chat, "compare", lambda: None))


def _die_without_the_bus(world: World) -> None:
    """A node is cut off and then dies: what it acked in between nobody else has heard of."""

    def die() -> None:
        world.begin_episode(Episode("crash", 0, world.now_s, world.now_s + 8.0, 1.0))

    def cut_off() -> None:
        world.begin_episode(Episode("bus cut", 0, world.now_s, world.now_s + 5.0, 1.0))
        world.after(4.0, die)

    world.after(6.0, cut_off)


async def _nothing(self: Any, *_: Any) -> None:
    """Leave it."""


async def _only_what_failed(self: Any) -> None:
    names, self._failed = self._failed, {}
    await self.publish_heads(list(names))


def _leave(self: Any, *_: Any) -> None:
    """Leave it."""


def _fan_out_at_once(self: Any, entry: Any, ack: Any = None) -> None:
    held = self.roster.logs.get(entry.conv)
    if held is not None and entry.seq > held.last + 1:
        self.fan_out(held, entry, ack)
    else:
        _PASS_ON(self, entry, ack)


_PASS_ON: Final = Hub.pass_on
_RECEIVE: Final = Device.receive
_SENT_IT: Final = Device.sent_it


def _leave_own_out(self: Any, held: Any, entry: Any, packet: Any) -> None:
    if entry.sender != self.user.uid:
        _RECEIVE(self, held, entry, packet)


def _echo(self: Any, held: Any, entry: Any, packet: Any, ack: Any) -> None:
    self.socket.emit(packet)
    _SENT_IT(self, held, entry, packet, ack)


def _ack_out_of_turn(self: Any, held: Any, entry: Any, packet: Any, ack: Any) -> None:
    if ack.ack_id is not None and entry.kind == "message":
        self.socket.ack(ack.ack_id, ack_of_entry(entry))
    else:
        _SENT_IT(self, held, entry, packet, ack)


async def _at_no_end(self: Any, uid: str) -> int:
    return 2**31


_NO_SWEEP: Final = (Comparing, "sweep", _nothing)
"""What would find it after all, only later."""

SABOTAGES: Final = (
    Sabotage(
        "acks before the entry is durable",
        ("durable before the ack", "acks in order"),
        in_log(_ack_before_durable),
    ),
    Sabotage("acks without waiting for the bus", ("published before the ack",), _answer_at_once),
    Sabotage("forgets keys of idempotence", ("appended once", AGAIN), world=_forget_keys),
    Sabotage(
        "does not decide on the members of the log", (MEMBERSHIP, "skips"),
        in_log(_decide_on_no_members),
    ),
    Sabotage(
        "does not mind what became of a message", (DELETED,), in_log(_decide_on_no_state),
        first_seed=32,
    ),
    Sabotage(
        "does not mind who is asked already", (INVITATIONS,), in_log(_ask_whoever), first_seed=76
    ),
    Sabotage("forgets who uses a link", (LINKS,), _remember_no_visits, first_seed=376),
    Sabotage("counts a group's links before it adds one", (LINKS,), _count_links_first),
    Sabotage(
        "claims no invitation that is accepted", (INVITATIONS,), _claim_nothing, first_seed=404
    ),
    Sabotage(
        "tells of settings whoever told of them since", (SETTINGS,),
        instead=((OwnAccount, "_end", _at_no_end),), first_seed=100,
    ),
    Sabotage("tells nobody of new groups", ("nobody is forgotten",), in_log(_announce_nothing)),
    Sabotage("lets appends overtake", ("a sender's order",), in_log(_append_some_later)),
    Sabotage("acks receipts that it does not store", ("receipts",), _store_no_receipts),
    Sabotage(
        "tells authors no counts", (TOLD,), first_seed=68,
        instead=((Notices, "author_counted", _leave),),
    ),
    Sabotage(
        "says no receipts again to who had no bus", (TOLD,),
        instead=((Repeating, "heard_back", _leave),), first_seed=152,
    ),
    Sabotage(
        "leaves held what is held when its sender comes in", (HELD,),
        instead=((Restarting, "append_for", _nothing),), first_seed=246,
    ),
    Sabotage("closes no gap", (IN_TIME, "comes to rest"), instead=((Gaps, "close", _leave),)),
    Sabotage("passes on ahead of a gap", (ORDER, "acks in order"),
        instead=((Hub, "pass_on", _fan_out_at_once),),
    ),
    Sabotage(
        "compares nothing after an outage", (IN_TIME,),
        instead=((Comparing, "compare", _leave), _NO_SWEEP),
    ),
    Sabotage(
        "makes no failed publish up", (IN_TIME, "nobody is forgotten"),
        instead=((Publishing, "make_up", _nothing), _NO_SWEEP), first_seed=8,
    ),
    Sabotage(
        "trusts a bus that took what it passed on to nobody", (IN_TIME,),
        instead=((Publishing, "make_up", _only_what_failed), _NO_SWEEP), first_seed=18,
    ),
    Sabotage(
        "does not mind that nodes die", (IN_TIME,), _no_lease_watched, first_seed=380,
        instead=(_NO_SWEEP,), world=_die_without_the_bus,
    ),
    Sabotage(
        "leaves a sender's other devices out", (ORDER, IN_TIME),
        instead=((Device, "receive", _leave_own_out),),
    ),
    Sabotage(
        "sends a device its own", ("the sending device gets the ack only", ORDER),
        instead=((Device, "sent_it", _echo),),
    ),
    Sabotage(
        "acks out of turn", ("acks in order", ORDER, "published before the ack"),
        instead=((Device, "sent_it", _ack_out_of_turn),),
    ),
    Sabotage(
        "goes on sending to who has left", (MEMBERSHIP, ORDER, "skips"),
        instead=((Attendance, "_let_out", _leave),),
    ),
)  # fmt: skip
