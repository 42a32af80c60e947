"""What people do in a story: they write, read, come and go, bring others in and rule groups."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count
from random import Random
from typing import TYPE_CHECKING

from tests.sim.device import Device
from tests.sim.races import GROUPS, addressed
from tests.sim.rulers import Rulers
from tests.sim.seed_device import SeedDevice

if TYPE_CHECKING:
    from tests.sim.world import World


class People:
    """`act`: one of them does something, as the world's chance has it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._rng: Random = world.rng
        self._ids = count(1)
        self._rulers = Rulers(world)

    def open_with_a_group(self) -> None:
        founder = self._somebody()
        if founder is not None:
            others = [uid for uid in self._world.people if uid != founder.uid]
            founder.act("create", GROUPS[0], Body=json.dumps(others), MsgID=self._id())

    def _somebody(self) -> Device | None:
        """A device whose owner is at it."""
        ready = [d for d in self._world.devices if isinstance(d, Device) and d.wants_online]
        return self._rng.choice(ready) if ready else None

    def _id(self) -> str:
        return f"m{next(self._ids)}"

    def act(self) -> None:
        acts: list[tuple[int, Callable[[], None]]] = [
            (10, self._writes), (6, self._writes_a_burst), (4, self._comes_or_goes),
            (3, self._confirms), (3, self._amends), (2, self._refers), (2, self._departs),
            (1, self._creates), (2, self._is_cut_off), (2, self._stalls), (1, self._looks_back),
            (3, self._rulers.rule), (4, self._is_at_a_page),
        ]  # fmt: skip
        weights = [weight for weight, _ in acts]
        (act,) = self._rng.choices([act for _, act in acts], weights)
        act()

    def _writes(self) -> None:
        device = self._somebody()
        if device is not None:
            self._write(device, self._addressee())

    def _addressee(self) -> str:
        if self._rng.random() < 0.6:
            return self._rng.choice(GROUPS)
        return self._rng.choice(self._world.people)

    def _write(self, device: Device | SeedDevice, to: str) -> None:
        msg_id = self._id()
        self._world.history.texts[msg_id] = f"text of {msg_id}"
        device.act("message", to, MsgID=msg_id, Body=self._world.history.texts[msg_id])

    def _writes_a_burst(self) -> None:
        device = self._somebody()
        if device is not None:
            to = self._addressee()
            for _ in range(self._rng.randint(3, 8)):
                self._write(device, to)

    def _comes_or_goes(self) -> None:
        device = self._rng.choice(self._world.devices)
        if device.wants_online:
            device.go_offline()
        else:
            if isinstance(device, Device) and self._rng.random() < 0.2:
                device.forgets = self._rng.choice((1, 5, 1_000))
            device.go_online()

    def _is_cut_off(self) -> None:
        device = self._rng.choice(self._world.devices)
        if device.link is not None:
            device.link.drop()

    def _stalls(self) -> None:
        device = self._rng.choice(self._world.devices)
        device.stall(True)
        self._world.after(self._rng.uniform(0.2, 6.0), device.stall, False)

    def _confirms(self) -> None:
        device = self._somebody()
        conv = self._conversation(device)
        if device is not None and conv is not None:
            seq = max(1, device.memory.of(conv).position - self._rng.choice((0, 0, 1, 3)))
            device.confirm(self._rng.choice(("delivery", "display")), conv, seq)

    def _conversation(self, device: Device | None) -> str | None:
        known = [] if device is None else device.memory.known
        convs = [conv for conv in known if not conv.startswith("user:")]
        return self._rng.choice(convs) if convs else None

    def _amends(self) -> None:
        device = self._somebody()
        conv = self._conversation(device)
        if device is None or conv is None:
            return
        kind = self._rng.choice(("edit", "delete", "react"))
        seq, msg_id = max(1, device.memory.of(conv).position - self._rng.randint(0, 4)), self._id()
        body = "" if kind == "delete" else f"{kind} {msg_id}"
        device.act(kind, addressed(device.uid, conv), Refers=seq, MsgID=msg_id, Body=body)

    def _refers(self) -> None:
        self._change_members("refer")

    def _creates(self) -> None:
        self._change_members("create")

    def _change_members(self, kind: str) -> None:
        device = self._somebody()
        if device is not None:
            body = json.dumps(self._rng.sample(self._world.people, self._rng.randint(1, 2)))
            device.act(kind, self._rng.choice(GROUPS), Body=body, MsgID=self._id())

    def _departs(self) -> None:
        device = self._somebody()
        if device is not None:
            device.act("depart", self._rng.choice(GROUPS), MsgID=self._id())

    def _is_at_a_page(self) -> None:
        """Somebody does some of what pages of the seed's form can."""
        pages = [d for d in self._world.devices if isinstance(d, SeedDevice) and d.wants_online]
        if not pages:
            return
        page = self._rng.choice(pages)
        for _ in range(self._rng.choice((1, 1, 2, 5))):
            kind = self._rng.choice((*["message"] * 6, "refer", "create", "depart", "rejoin"))
            if kind == "message":
                self._write(page, self._addressee())
            else:
                uids = self._rng.sample(self._world.people, self._rng.randint(1, 2))
                body = {} if kind in ("depart", "rejoin") else {"Body": json.dumps(uids)}
                page.act(kind, self._rng.choice(GROUPS), **body)

    def _looks_back(self) -> None:
        """A live device asks for what it has had already."""
        device = self._somebody()
        conv = self._conversation(device)
        if device is not None and conv is not None and device.is_live:
            cursor = max(0, device.memory.of(conv).position - self._rng.randint(0, 9))
            device.sync({conv: cursor}, name=self._rng.choice(("sync", "join")))
