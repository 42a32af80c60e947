"""Envelopes of groups, and a group of three with their devices."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.wire.clients import Envelope
from tests.wire.people import Device, Town, message


def new_group() -> str:
    """An id that no group had before."""
    return f"group_{secrets.token_hex(6)}"


def act(kind: str, group: str, who: str, uids: Sequence[str] = (), **fields: Any) -> Envelope:
    """A group's envelope with a list, in the seed's shape: From = To = the group, MsgID empty."""
    return {
        "EvtType": kind, "From": group, "Originated": who, "To": group, "MsgID": "",
        "Timestamp": int(time.time()), "Body": json.dumps(list(uids)),
    } | fields  # fmt: skip


def said(group: str, who: str, body: str, **fields: Any) -> Envelope:
    """A message to a group."""
    return message(group, group, body, Originated=who) | fields


async def done(device: Device, envelope: Envelope) -> Envelope:
    """Send, insist on success, return the ack."""
    ack = await device.chat(envelope)
    assert ack.get("ok") is True, ack
    return ack


async def refused(device: Device, envelope: Envelope) -> str:
    """Send, insist on a refusal, return its code."""
    ack = await device.chat(envelope)
    assert ack["ok"] is False, ack
    return str(ack["error"]["code"])


@dataclass
class Trio:
    """A group and the devices of its three members; `a` made it."""

    group: str
    a: Device
    b: Device
    c: Device

    @property
    def uids(self) -> list[str]:
        """The members."""
        return [self.a.uid, self.b.uid, self.c.uid]


async def trio(town: Town, *, seed_form: bool = False) -> Trio:
    """Three people in a new group, each of whom has heard of it."""
    names = [town.person(name) for name in ("a", "b", "c")]
    join = town.seed_device if seed_form else town.device
    a, b, c = [await join(uid) for uid in names]
    group = new_group()
    await done(a, act("create", group, a.uid, names))
    for device in (b, c):
        await device.hear("notify" if seed_form else "create", To=group)
    return Trio(group, a, b, c)
