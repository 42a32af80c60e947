"""A story: what people do for a minute or two while things go wrong, and how it ends."""

from __future__ import annotations

import asyncio
import logging
import random
from random import Random
from typing import Any, Final

from structlog.testing import capture_logs

from tests.sim.checks import Checks
from tests.sim.deadlines import check_deadlines
from tests.sim.faults import draw_episodes
from tests.sim.history import History
from tests.sim.loop import VirtualLoop
from tests.sim.node import LAPSES_S
from tests.sim.people import People
from tests.sim.races import Races
from tests.sim.sabotage import HONEST, Sabotage
from tests.sim.violations import Violation
from tests.sim.world import World

WITHIN_S: Final = 5.0
"""Promise 6: by when everything has reached everybody once nothing is wrong any more."""
_REST_WITHIN_S: Final = 45.0
_LOOKS: Final = 900


class Story:
    """One seed's story. `run` tells it; what broke is in `violations`."""

    def __init__(self, seed: int, sabotage: Sabotage = HONEST) -> None:
        self.world = World(seed, sabotage)
        self.rng: Random = self.world.rng
        self.seed = seed
        self._people = People(self.world)
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
            self._people.open_with_a_group()
        until_s = world.now_s + self.rng.uniform(20.0, 70.0)
        for episode in draw_episodes(self.rng, len(world.nodes), until_s - 0.01):
            delay_s = max(episode.start_s - world.now_s, 0.0)
            world.after(delay_s, world.begin_episode, episode)
        for _ in range(self.rng.randint(25, 90)):
            world.after(self.rng.uniform(0.5, until_s - world.now_s - 0.5), self._people.act)
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
