"""Promises of groups that are broken on purpose: roles, removals, announcements, closing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tests.sim.checks import MEMBERSHIP, RULES
from tests.sim.node import Seams
from tests.sim.sabotage import Sabotage, Wrapped, in_log
from webchat.chat import backlog
from webchat.model import Membership
from webchat.ports.log import Append, AppendDone
from webchat.service import history, membership_entries, ruling_entries
from webchat.service.seeing import ALL, Span, visible
from webchat.service.standing import Standing

if TYPE_CHECKING:
    from tests.sim.world import World


def _drop_roles(world: World, log: Any, request: Append, done: AppendDone) -> None:
    """Whoever becomes something else stays what they are."""
    if request.follow is not None and request.drafts[0].kind == "role":
        follow = msgspec.structs.replace(request.follow, memberships=())
        request = msgspec.structs.replace(request, follow=follow)
    log.append(request, done)


def _name_the_last(world: World) -> Seams:
    """As who owns a group when its owner leaves."""

    def store(inner: Any) -> Any:
        async def successor(conv: str, uid: str) -> Membership | None:
            page = await inner.members.page(conv, "", 100)
            return max((row for row in page if row.uid != uid), default=None, key=_since)

        return Wrapped(inner, members=Wrapped(inner.members, successor=successor))

    return Seams(store=store)


def _since(span: Membership) -> tuple[bool, int, str]:
    return span.role != "admin", span.since, span.uid


def _whoever(span: Membership) -> Membership:
    return span


def _spans_alone(memberships: Sequence[Membership], group: Any) -> tuple[Span, ...]:
    return visible(memberships, None)


def _all(memberships: Sequence[Membership], group: Any) -> tuple[Span, ...]:
    return ALL


def _check_member(self: Standing) -> Membership:
    return self.check_member()


SABOTAGES: Final = (
    Sabotage(
        "lets anybody do what admins may", (MEMBERSHIP,), first_seed=80,
        instead=tuple((ruling_entries, name, _whoever) for name in ("check_admin", "check_owner")),
    ),
    Sabotage(
        "lets admins put anybody out", (MEMBERSHIP,),
        instead=((membership_entries, "ADMINS", frozenset[str]()),), first_seed=96,
    ),
    Sabotage("makes nobody what it says", (RULES, MEMBERSHIP), in_log(_drop_roles)),
    Sabotage("gives groups to who came last", (MEMBERSHIP,), _name_the_last),
    Sabotage(
        "lets write where there are announcements", (MEMBERSHIP,),
        instead=((Standing, "all_may_write", True),), first_seed=12,
    ),
    Sabotage(
        "opens no history", (RULES,), first_seed=106, instead=((history, "visible", _spans_alone),)
    ),
    Sabotage(
        "sends members what came before them", (MEMBERSHIP, "nobody is forgotten"),
        instead=((backlog, "visible", _all),),
    ),
    Sabotage(
        "lets act in what is closed", (MEMBERSHIP,),
        instead=((Standing, "check_open", _check_member),),
    ),
)  # fmt: skip
