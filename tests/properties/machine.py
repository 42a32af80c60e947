"""Stories as a state machine: what several people with two devices each may do, in any order.

Nothing is awaited between two rules unless a rule lets turns of the loop pass, so acts overlap.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from itertools import count
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from structlog.testing import capture_logs

from tests.chat.world import World
from tests.properties.checks import Checks
from tests.properties.device import Device
from webchat.chat.assembly import Settings
from webchat.chat.handlers import ChatSettings
from webchat.chat.lag import BacklogSettings
from webchat.chat.topics import ENTRY
from webchat.model import user_log

T = TypeVar("T")

PEOPLE = ("anna", "ben", "cleo", "dora", "emil", "fred")
GROUPS = ("group_a", "group_b")
SETTINGS = Settings(
    chat=ChatSettings(rate_burst=1_000_000),
    backlog=BacklogSettings(backlog_entries=12, join_entries=20, page_entries=3),
)

people = st.sampled_from(PEOPLE)
groups = st.sampled_from(GROUPS)
lists = st.lists(people, min_size=1, max_size=3)
names = st.sampled_from(("phone", "laptop"))
small = st.integers(0, 12)


def step(**arguments: Any) -> Callable[[Callable[..., Coroutine[Any, Any, None]]], Any]:
    """A rule that happens on the story's loop."""

    def as_rule(act: Callable[..., Coroutine[Any, Any, None]]) -> Any:
        @wraps(act)
        def run(story: Story, **drawn: Any) -> None:
            story.run(act(story, **drawn))

        return rule(**arguments)(run)  # type: ignore[no-untyped-call]

    return as_rule


class Story(RuleBasedStateMachine):
    """Six people, their devices, one node."""

    nodes = 1

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[Any] = []
        self.is_sound = True
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda _, fault: self.faults.append(fault))
        self._logs = capture_logs()
        self.logged = self._logs.__enter__()
        self.worlds = self.run(self._begin())
        self.devices = {(uid, name): Device(uid, name) for uid in PEOPLE for name in _NAMES}
        self.ids = count(1)
        self.texts: dict[str, str] = {}

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Let `work` happen on the story's own loop."""
        self.is_sound = False
        result = self.loop.run_until_complete(work)
        assert not self.faults, self.faults
        errors = [line for line in self.logged if line["log_level"] == "error"]
        assert not errors, errors
        self.logged.clear()
        self.is_sound = True
        return result

    async def _begin(self) -> list[World]:
        first = World(SETTINGS)
        await first.register(*PEOPLE)
        return [first] + [World(beside=first) for _ in range(self.nodes - 1)]

    @property
    def store(self) -> Any:
        """The one store."""
        return self.worlds[0].store

    # Steps

    async def turn(self, turns: int) -> None:
        """Let turns of the loop pass, then everybody reads."""
        for _ in range(turns):
            await asyncio.sleep(0)
        self.read_all()

    def read_all(self) -> None:
        """Everybody who reads takes what has come in."""
        for device in self.devices.values():
            if device.wire is not None and not device.stalled:
                assert device.wire.why is None, f"{device} was closed: {device.wire.why}"
                device.read()

    async def connect(
        self, device: Device, node: int, cursors: dict[str, int], *, halves: bool = False
    ) -> None:
        """A connection, whatever becomes of its join."""
        await device.connect(self.worlds[node % self.nodes], cursors, halves=halves)

    @initialize(members=st.lists(people, min_size=2, max_size=6, unique=True), at=small)
    def begin(self, members: list[str], at: int) -> None:
        """Everybody's phone is on, and there is a group."""
        self.run(self._begin_story(members, at))

    async def _begin_story(self, members: list[str], at: int) -> None:
        for number, uid in enumerate(PEOPLE):
            await self.connect(self.devices[uid, "phone"], at + number, {})
        await self.turn(30)
        self.devices[members[0], "phone"].chat(
            "create", GROUPS[0], Body=_list(members[1:]), MsgID=self._id()
        )
        await self.turn(30)

    def _id(self) -> str:
        return f"m{next(self.ids)}"

    def _live(self, uid: str, name: str) -> Device | None:
        """A device that is on and has joined; another one of its user if it is not."""
        for wanted in (name, *_NAMES):
            device = self.devices[uid, wanted]
            if device.wire is not None and device.joined and not device.stalled:
                return device
        return None

    # Connections

    @step(
        uid=people, name=names, node=small,
        forget=st.sampled_from(("nothing", "some", "all", "log")),
        halves=st.booleans(),
    )  # fmt: skip
    async def comes_online(self, uid: str, name: str, node: int, forget: str, halves: bool) -> None:
        device = self.devices[uid, name]
        if device.wire is not None:
            return
        cursors = {conv: known.position for conv, known in device.known.items()}
        if forget == "all":
            cursors = {}
        elif forget == "some":
            cursors = {conv: at for i, (conv, at) in enumerate(cursors.items()) if i % 2}
        elif forget == "log":
            cursors.pop(user_log(uid), None)
        await self.connect(device, node, cursors, halves=halves)

    @step(uid=people, name=names, reads=small)
    async def goes_offline(self, uid: str, name: str, reads: int) -> None:
        device = self.devices[uid, name]
        if device.wire is not None:
            device.cut(reads)

    @step(uid=people, name=names, stalled=st.booleans())
    async def stops_or_goes_on_reading(self, uid: str, name: str, stalled: bool) -> None:
        device = self.devices[uid, name]
        if device.wire is not None:
            device.stall(stalled)

    @step(uid=people, name=names, back=small, which=small)
    async def syncs_at_another_cursor(self, uid: str, name: str, back: int, which: int) -> None:
        device = self._live(uid, name)
        if device is None:
            return
        convs = [conv for conv in sorted(device.known) if not conv.startswith("user:")]
        if convs:
            conv = convs[which % len(convs)]
            device.sync({conv: max(0, device.of(conv).position + 2 - back)})

    # Acts

    @step(uid=people, name=names, group=groups, others=lists, ack=st.booleans())
    async def creates(self, uid: str, name: str, group: str, others: list[str], ack: bool) -> None:
        device = self._live(uid, name)
        if device is not None:
            device.chat("create", group, Body=_list(others), MsgID=self._id(), ack=ack)

    @step(uid=people, name=names, group=groups, others=lists, ack=st.booleans())
    async def refers(self, uid: str, name: str, group: str, others: list[str], ack: bool) -> None:
        device = self._live(uid, name)
        if device is not None:
            device.chat("refer", group, Body=_list(others), MsgID=self._id(), ack=ack)

    @step(uid=people, name=names, group=groups, ack=st.booleans())
    async def departs(self, uid: str, name: str, group: str, ack: bool) -> None:
        device = self._live(uid, name)
        if device is not None:
            device.chat("depart", group, MsgID=self._id(), ack=ack)

    @step(
        uid=people, name=names, to=groups | people, times=st.integers(1, 4), ack=st.booleans()
    )  # fmt: skip
    async def sends(self, uid: str, name: str, to: str, times: int, ack: bool) -> None:
        device = self._live(uid, name)
        if device is None:
            return
        for _ in range(times):
            msg_id = self._id()
            self.texts[msg_id] = f"text of {msg_id}"
            device.chat("message", to, MsgID=msg_id, Body=self.texts[msg_id], ack=ack)

    @step(
        uid=people, name=names, kind=st.sampled_from(("edit", "delete", "react")),
        to=groups | people, back=small, ack=st.booleans(),
    )  # fmt: skip
    async def amends(self, uid: str, name: str, kind: str, to: str, back: int, ack: bool) -> None:
        device = self._live(uid, name)
        if device is None:
            return
        conv = to if to in GROUPS else "dm:" + ":".join(sorted((uid, to)))
        seq, msg_id = max(1, device.of(conv).position - back), self._id()
        body = "" if kind == "delete" else f"{kind} {msg_id}"
        device.chat(kind, to, Refers=seq, MsgID=msg_id, Body=body, ack=ack)

    @step(
        uid=people,
        name=names,
        kind=st.sampled_from(("delivery", "display")),
        which=small,
        back=small,
    )
    async def confirms(self, uid: str, name: str, kind: str, which: int, back: int) -> None:
        device = self._live(uid, name)
        convs = [] if device is None else _conversations(device)
        if device is None or not convs:
            return
        conv = convs[which % len(convs)]
        seq = max(1, device.of(conv).position + 1 - back)
        to = conv if conv in GROUPS else uid
        device.chat(kind, to, ConvID=conv, Seq=seq)

    @step(uid=people, name=names)
    async def sends_again_what_was_not_acked(self, uid: str, name: str) -> None:
        device = self._live(uid, name)
        for msg_id in list(device.outbox) if device is not None else ():
            assert device is not None
            device.resend(msg_id)

    # The world around

    @step(turns=st.integers(1, 30))
    async def turns_pass(self, turns: int) -> None:
        await self.turn(turns)

    @step(seconds=st.sampled_from((0.1, 0.3, 1.1)))
    async def time_passes(self, seconds: float) -> None:
        self.worlds[0].clock.advance(seconds)
        await self.turn(10)

    @step(down=st.booleans())
    async def store_goes_down_or_comes_back(self, down: bool) -> None:
        self.store.is_down = down

    @precondition(lambda self: self.nodes > 1)
    @step(down=st.booleans())
    async def bus_goes_down_or_comes_back(self, down: bool) -> None:
        buses = self.worlds[0].buses
        if down and buses.is_up:
            buses.go_down()
        elif not down and not buses.is_up:
            buses.come_back()

    @precondition(lambda self: self.nodes > 1)
    @step(node=small, down=st.booleans())
    async def one_node_loses_the_bus_or_has_it_again(self, node: int, down: bool) -> None:
        bus = self.worlds[node % self.nodes].bus
        if down and bus.is_up:
            bus.cut_off()
        elif not down and not bus.is_up and self.worlds[0].buses.is_up:
            bus.reconnect()

    @precondition(lambda self: self.nodes > 1)
    @step(node=small, late=st.booleans())
    async def the_bus_answers_late_or_at_last(self, node: int, late: bool) -> None:
        bus = self.worlds[node % self.nodes].bus
        bus.answer()
        if late:
            bus.withhold()

    @precondition(lambda self: self.nodes > 1)
    @step(back=st.booleans(), entries=st.sampled_from((0, 1, 2)))
    async def publishes_are_held_back_lost_or_repeated(self, back: bool, entries: int) -> None:
        buses = self.worlds[0].buses
        buses.let_go()
        if back:
            buses.hold_back()
        buses.fate = lambda _topic, payload: entries if payload.startswith(ENTRY) else 1

    # The end

    @step()
    async def all_is_well_when_things_calm_down(self) -> None:
        await self.end_well()

    async def end_well(self) -> None:
        """Calm down and look at everything."""
        await self.calm_down()
        await Checks(self.worlds, list(self.devices.values()), self.texts).all()

    async def calm_down(self) -> None:
        """Everything is up again, everybody reads, and what was not acked is sent again."""
        self.store.is_down = False
        self.bus_is_well_again()
        for device in self.devices.values():
            if device.wire is not None:
                device.stall(False)
        await self._let_settle()
        for device in self.devices.values():
            if device.wire is not None and not device.joined:
                device.cut(0)  # its join was refused while the store was down
                await self.connect(device, 0, {c: k.position for c, k in device.known.items()})
        await self._let_settle()
        for device in self.devices.values():
            if device.wire is not None:
                for msg_id in list(device.outbox):
                    device.resend(msg_id)
        await self._let_settle()

    def bus_is_well_again(self) -> None:
        """What it lost without anybody's noticing is left to a comparison."""
        buses = self.worlds[0].buses
        buses.fate = lambda _topic, _payload: 1
        buses.let_go()
        if not buses.is_up:
            buses.come_back()
        for world in self.worlds:
            world.bus.answer()
            if not world.bus.is_up:
                world.bus.reconnect()
            world.chat.compare()

    async def _let_settle(self) -> None:
        for _ in range(4):
            await self.turn(40)
            self.worlds[0].clock.advance(1.1)
        await self.turn(40)

    def teardown(self) -> None:
        try:
            if self.is_sound:
                self.run(self.everybody_comes_back())
                self.run(self.end_well())
        finally:
            self.loop.run_until_complete(self._end())
            self.loop.close()
            self._logs.__exit__(None, None, None)

    async def everybody_comes_back(self) -> None:
        """Each device that was ever on, with the places it has."""
        self.store.is_down = False
        self.bus_is_well_again()
        for number, device in enumerate(self.devices.values()):
            if device.wire is None:
                cursors = {conv: known.position for conv, known in device.known.items()}
                await self.connect(device, number, cursors)

    async def _end(self) -> None:
        for world in self.worlds:
            await world.chat.close()
            await world.bus.close()


class StoryOfTwoNodes(Story):
    """The same with two nodes on one store and bus."""

    nodes = 2


_NAMES = ("phone", "laptop")


def _list(uids: list[str]) -> str:
    return "[" + ",".join(f'"{uid}"' for uid in uids) + "]"


def _conversations(device: Device) -> list[str]:
    return [conv for conv in sorted(device.known) if not conv.startswith("user:")]
