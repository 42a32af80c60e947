"""A story: what people do for a minute or two while things go wrong, and how it ends."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Callable
from itertools import count
from random import Random
from typing import Any, Final

from structlog.testing import capture_logs

from tests.sim.checks import Checks
from tests.sim.deadlines import check_deadlines
from tests.sim.device import Device
from tests.sim.faults import draw_episodes
from tests.sim.history import History
from tests.sim.loop import VirtualLoop
from tests.sim.node import LAPSES_S
from tests.sim.races import Races, addressed
from tests.sim.sabotage import HONEST, Sabotage
from tests.sim.violations import Violation
from tests.sim.world import World

WITHIN_S: Final = 5.0
"""Promise 6: by when everything has reached everybody once nothing is wrong any more."""
_REST_WITHIN_S: Final = 45.0
_LOOKS: Final = 900
_GROUPS: Final = ("group_a", "group_b")


class Story:
    """One seed's story. `run` tells it; what broke is in `violations`."""

    def __init__(self, seed: int, sabotage: Sabotage = HONEST) -> None:
        self.world = World(seed, sabotage)
        self.rng: Random = self.world.rng
        self.seed = seed
        self._ids = count(1)
        self._races = Races(self.world, Random(seed ^ 0xACE))

    @property
    def history(self) -> History:
        """What happened."""
        return self.world.history

    @property
    def violations(self) -> list[Violation]:
        """What broke, the first first."""
        return self.world.violations

    def run(self) -> Story:
        """From the beginning to the checks."""
        random.seed(self.seed)  # the product has chances of its own
        loop = self.world.loop
        loop.set_exception_handler(self._fault)
        handler = _Errors(self.history.errors)
        logging.getLogger("webchat").addHandler(handler)
        try:
            with capture_logs() as logged, self.world.sabotage.at_work():
                self._run_on(loop)
            errors = [line for line in logged if line["log_level"] == "error"]
            self.history.errors += [f"{line['event']} {line.get('exc_info')!r}" for line in errors]
        finally:
            logging.getLogger("webchat").removeHandler(handler)
            loop.close()
        for error in self.history.errors:
            self.world.broke(Violation(f"no error: {error}"))
        return self

    def _run_on(self, loop: VirtualLoop) -> None:
        main = self._tell()
        try:
            loop.run_until_complete(main)
        except Violation as violation:
            self.world.broke(violation)
            main.close()
            for task in asyncio.all_tasks(loop):
                task._log_destroy_pending = False  # type: ignore[attr-defined]

    def _fault(self, loop: asyncio.AbstractEventLoop, about: dict[str, Any]) -> None:
        self.history.errors.append(f"{about['message']} {about.get('exception')!r}")

    async def _tell(self) -> None:
        world = self.world
        await world.begin(self.rng.randint(2, 3))
        for device in world.devices:
            if self.rng.random() < 0.8:
                device.go_online()
        await asyncio.sleep(0.5)
        if not self.world.is_open:
            self._open_with_a_group()
        until_s = world.now_s + self.rng.uniform(20.0, 70.0)
        for episode in draw_episodes(self.rng, len(world.nodes), until_s - 0.01):
            delay_s = max(episode.start_s - world.now_s, 0.0)
            world.after(delay_s, world.begin_episode, episode)
        for _ in range(self.rng.randint(25, 90)):
            world.after(self.rng.uniform(0.5, until_s - world.now_s - 0.5), self._act)
        for after_s in self._races.times(until_s - world.now_s):
            world.after(after_s, self._races.begin)
        await asyncio.sleep(until_s - world.now_s)
        await self._end()

    async def _end(self) -> None:
        await self._come_to_rest()
        self._raise_if_broken()
        await asyncio.sleep(self._long_enough_s())
        self._raise_if_broken()
        self.world.note("CHECKS")
        await Checks(self.world).all()
        await self._races.check(self.world.ledgers)
        check_deadlines(self.world, WITHIN_S)
        self.world.note("CLOSES")
        for node in self.world.nodes:
            await node.stop()
        self._check_tasks()

    def _raise_if_broken(self) -> None:
        if self.violations:
            raise self.violations[0]

    def _check_tasks(self) -> None:
        left = [
            str(task.get_coro())
            for node in self.world.nodes
            for task in node.process.tasks
            if not task.done()
        ]
        if left:
            raise Violation(f"no task is left: {left}")

    async def _come_to_rest(self) -> None:
        """All is well again: everybody is on and reads, and everything is answered."""
        world = self.world
        world.note("HEALS")
        for device in world.devices:
            device.go_online()
            device.stall(False)
        for _ in range(_LOOKS):
            if self._rests():
                world.note("RESTS")
                return
            await asyncio.sleep(_REST_WITHIN_S / _LOOKS)
        raise Violation(f"comes to rest: not within {_REST_WITHIN_S} s: {self._waits()}")

    def _rests(self) -> bool:
        nodes = all(node.serves.is_set() and not node.bus.is_lost for node in self.world.nodes)
        return nodes and all(device.is_live and device.is_idle for device in self.world.devices)

    def _waits(self) -> str:
        return ", ".join(
            device.name for device in self.world.devices if not (device.is_live and device.is_idle)
        )

    def _long_enough_s(self) -> float:
        """Until what only a lapsed lease or a sweep finds has been found, too."""
        now_s, until_s = self.world.now_s, self.world.now_s
        for node in self.world.dead:
            until_s = max(until_s, node.died_s + LAPSES_S)
        for _, end_s, kind, _ in self.world.faults.disturbed:
            if kind == "bus lost without notice":
                until_s = max(until_s, end_s)
        return until_s - now_s + WITHIN_S

    # What people do

    def _open_with_a_group(self) -> None:
        founder = self._somebody()
        if founder is not None:
            others = [uid for uid in self.world.people if uid != founder.uid]
            founder.act("create", _GROUPS[0], Body=json.dumps(others), MsgID=self._id())

    def _somebody(self) -> Device | None:
        """A device whose owner is at it."""
        ready = [d for d in self.world.devices if isinstance(d, Device) and d.wants_online]
        return self.rng.choice(ready) if ready else None

    def _id(self) -> str:
        return f"m{next(self._ids)}"

    def _act(self) -> None:
        acts: list[tuple[int, Callable[[], None]]] = [
            (10, self._writes), (6, self._writes_a_burst), (4, self._comes_or_goes),
            (3, self._confirms), (3, self._amends), (2, self._refers), (2, self._departs),
            (1, self._creates), (2, self._is_cut_off), (2, self._stalls), (1, self._looks_back),
        ]  # fmt: skip
        weights = [weight for weight, _ in acts]
        (act,) = self.rng.choices([act for _, act in acts], weights)
        act()

    def _writes(self) -> None:
        device = self._somebody()
        if device is not None:
            self._write(device, self._addressee(device))

    def _addressee(self, device: Device) -> str:
        if self.rng.random() < 0.6:
            return self.rng.choice(_GROUPS)
        return self.rng.choice(self.world.people)

    def _write(self, device: Device, to: str) -> None:
        msg_id = self._id()
        self.history.texts[msg_id] = f"text of {msg_id}"
        device.act("message", to, MsgID=msg_id, Body=self.history.texts[msg_id])

    def _writes_a_burst(self) -> None:
        device = self._somebody()
        if device is not None:
            to = self._addressee(device)
            for _ in range(self.rng.randint(3, 8)):
                self._write(device, to)

    def _comes_or_goes(self) -> None:
        device = self.rng.choice(self.world.devices)
        if device.wants_online:
            device.go_offline()
        else:
            if isinstance(device, Device) and self.rng.random() < 0.2:
                device.forgets = self.rng.choice((1, 5, 1_000))
            device.go_online()

    def _is_cut_off(self) -> None:
        device = self.rng.choice(self.world.devices)
        if device.link is not None:
            device.link.drop()

    def _stalls(self) -> None:
        device = self.rng.choice(self.world.devices)
        device.stall(True)
        self.world.after(self.rng.uniform(0.2, 6.0), device.stall, False)

    def _confirms(self) -> None:
        device = self._somebody()
        conv = self._conversation(device)
        if device is not None and conv is not None:
            seq = max(1, device.memory.of(conv).position - self.rng.choice((0, 0, 1, 3)))
            device.confirm(self.rng.choice(("delivery", "display")), conv, seq)

    def _conversation(self, device: Device | None) -> str | None:
        known = [] if device is None else device.memory.known
        convs = [conv for conv in known if not conv.startswith("user:")]
        return self.rng.choice(convs) if convs else None

    def _amends(self) -> None:
        device = self._somebody()
        conv = self._conversation(device)
        if device is None or conv is None:
            return
        kind = self.rng.choice(("edit", "delete", "react"))
        seq, msg_id = max(1, device.memory.of(conv).position - self.rng.randint(0, 4)), self._id()
        body = "" if kind == "delete" else f"{kind} {msg_id}"
        device.act(kind, addressed(device.uid, conv), Refers=seq, MsgID=msg_id, Body=body)

    def _refers(self) -> None:
        self._change_members("refer")

    def _creates(self) -> None:
        self._change_members("create")

    def _change_members(self, kind: str) -> None:
        device = self._somebody()
        if device is not None:
            body = json.dumps(self.rng.sample(self.world.people, self.rng.randint(1, 2)))
            device.act(kind, self.rng.choice(_GROUPS), Body=body, MsgID=self._id())

    def _departs(self) -> None:
        device = self._somebody()
        if device is not None:
            device.act("depart", self.rng.choice(_GROUPS), MsgID=self._id())

    def _looks_back(self) -> None:
        """A live device asks for what it has had already."""
        device = self._somebody()
        conv = self._conversation(device)
        if device is not None and conv is not None and device.is_live:
            device.sync({conv: max(0, device.memory.of(conv).position - self.rng.randint(0, 9))})


class _Errors(logging.Handler):
    """Keeps what the product logs as an error."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._errors = errors

    def emit(self, record: logging.LogRecord) -> None:
        self._errors.append(f"{record.getMessage()} {record.exc_info!r}")


def tell(seed: int, sabotage: Sabotage = HONEST) -> Story:
    """Run the story of a seed, to its end or to the first promise that breaks."""
    return Story(seed, sabotage).run()
