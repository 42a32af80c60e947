"""Promises broken on purpose, so that the checkers can be seen to find it.

Each sabotage puts something between the nodes and their world, or takes one line of repair out of
the product for as long as a story lasts. There is no such switch outside of the simulation.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from tests.sim.node import Seams
from webchat.ports.log import Append, AppendDone

if TYPE_CHECKING:
    from tests.sim.world import World


@dataclass(frozen=True)
class Sabotage:
    """`breaks`: the promises that a violation of it may name, or what else shows it first.
    `seams`: what is put between each node and its world. `instead`: methods of the product, and
    what they do for once. `world`: what is done to the world at its beginning. `first_seed`: from
    which one on it is looked for, where what shows it is rare; even, as it meddles with the memory
    store."""

    name: str
    breaks: tuple[str, ...] = ()
    seams: Callable[[Any], Seams] = lambda world: Seams()
    instead: tuple[tuple[object, str, Any], ...] = ()
    world: Callable[[Any], None] = field(default=lambda world: None)
    first_seed: int = 0

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """The product does what `instead` says."""
        with contextlib.ExitStack() as stack:
            for owner, name, does in self.instead:
                stack.enter_context(patch.object(owner, name, does))
            yield

    def explains(self, violation: Exception) -> bool:
        """Whether this is what it was to break."""
        return str(violation).startswith(self.breaks)


HONEST: Final = Sabotage("none")


class Wrapped:
    """A port of which one thing is done otherwise."""

    def __init__(self, inner: Any, **instead: Any) -> None:
        self._inner = inner
        self.__dict__.update(instead)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def in_log(append: Callable[[Any, Any, Append, AppendDone], None]) -> Callable[[Any], Seams]:
    """A store whose log appends like this: (world, log, request, done)."""

    def seams(world: World) -> Seams:
        def store(inner: Any) -> Any:
            log = inner.log

            def instead(request: Append, done: AppendDone) -> None:
                append(world, log, request, done)

            return Wrapped(inner, log=Wrapped(log, append=instead))

        return Seams(store=store)

    return seams
