"""Owners and admins in a story: roles, removals, properties of groups, and their closing.

Most of it is done by who may, by the store's word of a moment ago, and at times by two of them at
once, so that one of them may no more; some of it by anybody. What came of it the ledger judges.
"""

from __future__ import annotations

import json
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from tests.sim.device import Device
from tests.sim.races import GROUPS
from webchat.model import Membership
from webchat.service.standing import ADMINS

if TYPE_CHECKING:
    from tests.sim.world import World

_ROLES: Final = ("owner", "admin", "admin", "member")
_ALL: Final = 10_000


class Rulers:
    """What they do."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._rng = world.rng
        self._ids = count(1)

    def rule(self) -> None:
        """One or two of them do something to a group."""
        self._world.loop.create_task(self._rule(self._rng.choice(GROUPS)))

    async def _rule(self, conv: str) -> None:
        members = await self._world.engine.truth.members.page(conv, "", _ALL)
        for _ in range(self._rng.choice((1, 1, 2, 3))):
            device = self._some_ruler(members)
            if device is not None:
                kind, body = self._what(members)
                device.act(kind, conv, Body=body, MsgID=f"u{next(self._ids)}")

    def _some_ruler(self, members: list[Membership]) -> Device | None:
        """An admin's device, mostly."""
        admins = {row.uid for row in members if row.role in ADMINS}
        may_all = self._rng.random() < 0.2
        devices = [
            device
            for device in self._world.devices
            if isinstance(device, Device) and device.wants_online
            if may_all or device.uid in admins
        ]
        return self._rng.choice(devices) if devices else None

    def _what(self, members: list[Membership]) -> tuple[str, str]:
        uids = [row.uid for row in members] or list(self._world.people)
        uid = self._rng.choice(uids)
        kind = self._rng.choice(("role", "role", "role", "remove", "remove", "group", "group", ""))
        if kind == "role":
            return kind, json.dumps({"uid": uid, "role": self._rng.choice(_ROLES)})
        if kind == "remove":
            return kind, json.dumps([uid, self._rng.choice(self._world.people)])
        if kind == "group":
            return kind, json.dumps(self._properties())
        return ("close", "") if self._rng.random() < 0.2 else ("remove", json.dumps([uid]))

    def _properties(self) -> dict[str, Any]:
        drawn: list[dict[str, Any]] = [
            {"announcements": True}, {"announcements": False}, {"announcements": False},
            {"name": f"called u{next(self._ids)}"}, {"history_open": self._rng.random() < 0.7},
        ]  # fmt: skip
        return self._rng.choice(drawn)
