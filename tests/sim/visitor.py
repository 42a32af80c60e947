"""What devices of both forms have in common: they are connected as often as it takes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from tests.sim.history import Visit
from tests.sim.network import Link
from tests.sim.violations import Violation

if TYPE_CHECKING:
    from tests.sim.world import World


class Visitor(ABC):
    """One device of a user. `link`: its connection; `visit`: since it has joined on it.

    `patience_s`: how long it waits before it first asks whether its connection is dead; `engine`:
    the Engine.IO protocol that it speaks.
    """

    patience_s: float
    engine = 4

    def __init__(self, world: World, uid: str, name: str) -> None:
        self.world = world
        self.uid = uid
        self.name = f"{uid}'s {name}"
        self.link: Link | None = None
        self.visit: Visit | None = None
        self.wants_online = False
        self.stalled = False
        self._heard_s = 0.0

    @property
    def is_live(self) -> bool:
        """Whether it has joined."""
        return self.visit is not None

    def go_online(self) -> None:
        """Be connected from now on, to whichever node lets it in."""
        self.wants_online = True
        self._connect()

    def go_offline(self) -> None:
        """Be away."""
        self.wants_online = False
        if self.link is not None:
            self.link.drop()

    def _connect(self) -> None:
        if not self.wants_online or self.link is not None:
            return
        node = self.world.some_node()
        if node is None:
            self._come_back_later()
            return
        self.link = Link(self.world.loop, self.world.rng, self, node)
        self.stalled = False
        self._heard_s = self.world.now_s
        self.link.connect()
        self.world.after(self.patience_s, self._look_after, self.link)

    def _come_back_later(self) -> None:
        self.world.after(self.world.rng.uniform(0.05, 0.8), self._connect)

    def _look_after(self, link: Link) -> None:
        """A connection that says nothing for too long is dead."""
        if link is not self.link:
            return
        if self._takes_it_for_dead():
            self._give_up(link)
        else:
            self.world.after(1.0, self._look_after, link)

    def cut(self, link: Link) -> None:
        """The connection is over."""
        if link is not self.link:
            return
        self.note("is cut off")
        self.link = None
        if self.visit is not None:
            self.visit.until_s = self.world.now_s
            self.visit = None
        if self.wants_online:
            self._come_back_later()

    def heard(self, link: Link, texts: list[str]) -> None:
        """Packets came."""
        for text in texts:
            if link is not self.link:
                return
            self._heard_s = self.world.now_s
            try:
                self._packet(link, text)
            except Violation as violation:
                self.world.broke(violation)

    def note(self, said: str) -> None:
        """A line of the trace."""
        self.world.history.note(self.world.now_s, f"{self.name} {said}")

    def _give_up(self, link: Link) -> None:
        link.drop()

    @abstractmethod
    def _takes_it_for_dead(self) -> bool:
        """Whether its connection has said nothing for too long."""

    @abstractmethod
    def _packet(self, link: Link, text: str) -> None:
        """A packet came. Raises Violation."""
