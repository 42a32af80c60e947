"""Promises to the seed's form, and to joins in pages, that are broken on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.sim.node import Seams
from tests.sim.page import SEED
from tests.sim.paging import PAGES
from tests.sim.receipts import TOLD
from tests.sim.sabotage import Sabotage, Wrapped
from webchat.chat.cursors import Cursors
from webchat.chat.handlers import ChatHandler
from webchat.chat.notices import Notices
from webchat.chat.seed import SeedDevice
from webchat.chat.unheard import Heard

if TYPE_CHECKING:
    from tests.sim.world import World

_NEWEST: Final = 10_000
_IN_FORM: Final = Notices._in_form
_JOIN: Final = Cursors.join


def _list_who_is_in_now(world: World) -> Seams:
    def store(inner: Any) -> Any:
        async def at(conv: str, seq: int, most: int) -> Any:
            return await inner.members.at(conv, _NEWEST, most)

        return Wrapped(inner, members=Wrapped(inner.members, at=at))

    return Seams(store=store)


def _is_for_it(self: Any, entry: Any) -> bool:
    return entry.kind in ("message", "join", "depart")


def _in_full_form_alone(self: Any, notice: Any, *, full: bool) -> Any:
    return _IN_FORM(self, notice, full=full) if full else []


def _begin_at_the_end(self: Any, delivered: Any) -> None:
    for conv, lag in self.lags.items():
        lag.waiting, lag.position = False, self.user.logs[conv].last


def _no(self: Any, *_: Any) -> bool:
    return False


def _yes(self: Any, *_: Any) -> bool:
    return True


def _join_at_once(self: Any, device: Any, cursors: Any, *, more: bool) -> None:
    _JOIN(self, device, cursors, more=False)


SABOTAGES: Final = (
    Sabotage("lists who is in by now", (SEED,), _list_who_is_in_now, first_seed=112),
    Sabotage(
        "sends pages their user's own messages", (SEED,),
        instead=((SeedDevice, "_is_for_it", _is_for_it),),
    ),
    Sabotage(
        "tells pages of no receipts", (TOLD,),
        instead=((Notices, "_in_form", _in_full_form_alone),),
    ),
    Sabotage(
        "takes what is said again for known", (TOLD,), first_seed=272,
        instead=((Heard, "note", _yes),),
    ),
    Sabotage(
        "begins pages at the end", ("nobody is forgotten",),
        instead=((SeedDevice, "begin", _begin_at_the_end),),
    ),
    Sabotage(
        "joins nobody who has been joined before", ("no error",), first_seed=118,
        instead=((ChatHandler, "_joins_by_itself", _no),),
    ),
    Sabotage(
        "waits for no further cursors", (PAGES,), instead=((Cursors, "join", _join_at_once),),
    ),
)  # fmt: skip
