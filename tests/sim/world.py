"""The world of a story: time, faults, nodes, devices, and everything that they share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final, TypeVarTuple

import msgspec

from tests.properties.ledger import Ledger
from tests.sim.bus import Broker
from tests.sim.clock import SimClock
from tests.sim.device import Device
from tests.sim.faults import EVERY, Episode, Faults
from tests.sim.history import Ack, History
from tests.sim.loop import VirtualLoop
from tests.sim.node import SWEEP_S, Node
from tests.sim.races import STRANGERS
from tests.sim.sabotage import HONEST, Sabotage
from tests.sim.seed_device import SeedDevice
from tests.sim.stores import Engine, engine_of
from tests.sim.violations import Violation
from webchat.service.profiles import new_profile

Args = TypeVarTuple("Args")
PEOPLE: Final = ("anna", "ben", "cleo", "dora", "emil", "fred")
_SKEWS_MS: Final = (0, 0, 700, -4_000, 3_600_000, -3_600_000)


class World:
    """Made from a seed; `rng` is the one source of chance. `sabotage`: how it is broken, if so.
    `is_open`: in open mode, where messages to groups that nobody has made are held. `is_counted`:
    all groups are so large that authors get counts."""

    def __init__(self, seed: int, sabotage: Sabotage = HONEST) -> None:
        self.seed = seed
        self.is_open = seed % 4 >= 2
        self.is_counted = seed % 8 in (4, 5)
        self.rng = Random(seed)
        self.loop = VirtualLoop(Random(seed ^ 0x5EED))
        self.sabotage = sabotage
        self.faults = Faults()
        self.history = History()
        self.violations: list[Violation] = []
        self.broker = Broker(self.loop, self.faults, self.rng, 2 * SWEEP_S)
        self.clock = SimClock(self.loop)
        self.engine: Engine = engine_of(seed, self.loop, self.faults, self.rng, self.clock)
        self.people: Sequence[str] = PEOPLE[: self.rng.randint(3, 6)]
        self.nodes: list[Node] = []
        self.dead: list[Node] = []
        self.devices: list[Device | SeedDevice] = []
        self.told_receipts: list[tuple[str, str, str, str, int]] = []
        self.ledgers: dict[str, Ledger] = {}
        self._skews = [self.rng.choice(_SKEWS_MS) for _ in range(3)]
        self._lives = 0

    @property
    def now_s(self) -> float:
        """Virtual time."""
        return self.loop.time()

    def note(self, said: str) -> None:
        """A line of the trace."""
        self.history.note(self.now_s, said)

    def broke(self, violation: Violation) -> None:
        """A promise is broken; the first one ends the story."""
        if not self.violations:
            self.note(f"VIOLATION {violation}")
        self.violations.append(violation)

    def after(self, delay_s: float, call: Callable[[*Args], object], *args: *Args) -> None:
        """Call it in so many virtual seconds, in the world."""
        self.loop.call_later(delay_s, call, *args, context=self.loop.world.context)

    # Making it

    async def begin(self, nodes: int) -> None:
        """People, nodes that serve, and devices that are off."""
        self.sabotage.world(self)
        accounts = self.engine.truth.accounts
        for uid in self.people:
            await accounts.create(new_profile(uid, uid.title()), "hash", 0)
        for uid in STRANGERS:
            profile = new_profile(uid, uid.title())
            careful = msgspec.structs.replace(profile, who_may_add_me="shared")
            await accounts.create(careful, "hash", 0)
        self.nodes = [self._new_node(index) for index in range(nodes)]
        for node in self.nodes:
            node.start()
        await asyncio.gather(*(node.serves.wait() for node in self.nodes))
        for uid in self.people:
            self.devices.append(Device(self, uid, "phone", self.rng.choice((1, 1, 4))))
            if self.rng.random() < 0.6:
                self.devices.append(Device(self, uid, "laptop", self.rng.choice((1, 4))))
            if self.rng.random() < 0.35:
                engine = self.rng.choice((3, 4)) if self.is_open else 4
                self.devices.append(SeedDevice(self, uid, engine))

    def _new_node(self, index: int) -> Node:
        self._lives += 1
        node_id = f"node{index}" if self.rng.random() < 0.3 else f"node{index}-{self._lives}"
        return Node(
            self.loop,
            index,
            self._lives,
            self.engine,
            self.broker,
            self._skews[index],
            node_id,
            self.sabotage.seams(self),
            open_mode=self.is_open,
            counted=self.is_counted,
        )

    def some_node(self) -> Node | None:
        """Where a device's connection comes out: any node that the balancer takes for alive."""
        serving = [node for node in self.nodes if not node.process.is_dead]
        return self.rng.choice(serving) if serving else None

    # Faults

    def begin_episode(self, episode: Episode) -> None:
        """Something goes wrong from now on."""
        if episode.kind == "crash" and self.nodes[episode.node].process.is_dead:
            return
        self.note(f"FAULT {episode}")
        self.faults.begin(episode)
        for node in self.nodes:
            if episode.node in (node.index, EVERY):
                self._strike(node, episode)
        self.after(episode.end_s - self.now_s, self._end_episode, episode)

    def _strike(self, node: Node, episode: Episode) -> None:
        if episode.kind in ("bus cut", "bus down"):
            node.bus.cut_off(self.rng.uniform(0.1, 0.8))
        elif episode.kind == "pause":
            self.loop.pause(node.process)
        elif episode.kind == "crash":
            node.kill(silently=self.rng.random() < 0.2)
            self.dead.append(node)

    def _end_episode(self, episode: Episode) -> None:
        self.note(f"OVER  {episode.kind}")
        self.faults.end(episode)
        if episode.kind == "pause" and self.faults.at("pause", episode.node) is None:
            self.loop.resume(self.nodes[episode.node].process)
        elif episode.kind == "bus splits":
            self.nodes[episode.node].bus.cut_off(0.0)  # the old broker is gone
        elif episode.kind == "crash":
            self.nodes[episode.node] = self._new_node(episode.node)
            self.nodes[episode.node].start()

    def was_busless(self, node: Node, since_s: float) -> bool:
        """Whether a node was without its bus at some time since then."""
        return any(until_s >= since_s for _, until_s in node.bus.lost_times)

    # What devices tell

    def acked(self, ack: Ack) -> None:
        """An act was called durable."""
        self.history.acks.append(ack)
        self.loop.create_task(self._check_durable(ack))
        if not ack.busless and (ack.conv, ack.seq) not in self.broker.entries:
            said = f"{ack.msg_id} at {ack.seq} of {ack.conv} is acked, and no bus was told"
            self.broke(Violation(f"published before the ack: {said}"))

    async def _check_durable(self, ack: Ack) -> None:
        entries = await self.engine.truth.log.read(ack.conv, ack.seq - 1, 1)
        if [entry.msg_id for entry in entries] != [ack.msg_id]:
            said = f"{ack.uid}'s {ack.msg_id}, acked at {ack.seq} of {ack.conv}, is not stored"
            self.broke(Violation(f"durable before the ack: {said}"))

    def told(self, device: Any, kind: str, conv: str, reader: str, seq: int) -> None:
        """An author was told of a reader."""
        self.told_receipts.append((device.uid, kind, conv, reader, seq))
