"""What the store does not answer for is tried again apart, and holds up nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Sequence
from functools import partial
from itertools import islice
from typing import Generic, TypeVar

from webchat.errors import WebchatError
from webchat.service.patience import Patience
from webchat.service.tasks import Spawn

_Owner = TypeVar("_Owner", bound=Hashable)
_Thing = TypeVar("_Thing", bound=Hashable)


class _Left(Generic[_Thing]):
    """What is left of an owner's things: those that wait, in turns, and those that are being tried;
    and how many are tried next."""

    __slots__ = ("next", "tried", "waiting")

    def __init__(self, at_once: int) -> None:
        self.waiting: dict[_Thing, None] = {}
        self.tried: Sequence[_Thing] = ()
        self.next = at_once


class Apart(Generic[_Owner, _Thing]):
    """Work on an owner's many things, of which the store may not answer for some alone. Those are
    tried once a second, in turns, until it does; where they come together, ever fewer of them at
    once.

    `act`: it, on up to `at_once` of them. `doing`: that, for the log. `mended`: called when some of
    an owner's could be done at last, with all that still waits and from then on does so no more;
    None: that is tried on.
    """

    def __init__(
        self,
        act: Callable[[_Owner, Sequence[_Thing]], Awaitable[None]],
        at_once: int,
        doing: str,
        patience: Patience,
        spawn: Spawn,
        mended: Callable[[_Owner, Sequence[_Thing]], object] | None = None,
    ) -> None:
        self._act = act
        self._at_once = at_once
        self._doing = doing
        self._patience = patience
        self._spawn = spawn
        self._mended = mended
        self._left: dict[_Owner, _Left[_Thing]] = {}

    def holds(self, owner: _Owner, thing: _Thing) -> bool:
        """Whether it waits to be tried again, or just is."""
        left = self._left.get(owner)
        return left is not None and (thing in left.waiting or thing in left.tried)

    async def act_on(self, owner: _Owner, things: Sequence[_Thing]) -> None:
        """Do it, but for what waits to be tried again. Raises WebchatError that no retry mends.

        What is being tried is done all the same: asked for now, it may come to something else.
        """
        left = self._left.get(owner)
        if left is not None:
            things = [each for each in things if each not in left.waiting]
        try:
            await self._act(owner, things)
        except WebchatError as error:
            if not error.code.retry:
                raise
            self._leave(owner, things)

    def _leave(self, owner: _Owner, things: Sequence[_Thing]) -> None:
        left = self._left.get(owner)
        if left is None:
            left = self._left[owner] = _Left(self._at_once)
            self._spawn(self._try_again(owner, left))
        left.waiting.update(dict.fromkeys(things))

    async def _try_again(self, owner: _Owner, left: _Left[_Thing]) -> None:
        act = partial(self._try_next, owner, left)
        is_done: bool | None = None
        try:
            while left.waiting and not (is_done and self._mended):
                first = f"{next(iter(left.waiting))!s:.100}"
                is_done = await self._patience.attempt(act, self._doing, first=first)
        finally:
            del self._left[owner]
        if is_done and self._mended:
            self._mended(owner, list(left.waiting))

    async def _try_next(self, owner: _Owner, left: _Left[_Thing]) -> bool:
        """True: it is done."""
        left.tried = list(islice(left.waiting, left.next))
        for each in left.tried:
            del left.waiting[each]
        try:
            await self._act(owner, left.tried)
        except WebchatError as error:
            if error.code.retry:
                left.waiting.update(dict.fromkeys(left.tried))
                left.next = max(1, len(left.tried) // 2)
            raise
        finally:
            left.tried = ()
        left.next = self._at_once
        return True
