"""Envelopes of groups, what people do in them, and a group of three with their devices."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.wire.clients import Envelope
from tests.wire.people import Device, Kind, Town, body_of, message

KINDS: Final[tuple[Kind, ...]] = ("node-upgrade", "python-websocket")
"""The client libraries that a flow is played with."""


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


async def refused(device: Device, envelope: Envelope | str) -> str:
    """Send, insist on a refusal, return its code."""
    ack = await device.chat(envelope)
    assert ack["ok"] is False, ack
    return str(ack["error"]["code"])


async def say(device: Device, group: str, body: str, **fields: Any) -> Envelope:
    """Send a message to a group and return its ack."""
    return await done(device, said(group, device.uid, body, **fields))


async def do(
    device: Device, kind: str, group: str, uids: Sequence[str] = (), **fields: Any
) -> Envelope:
    """Act in a group and return the ack."""
    return await done(device, act(kind, group, device.uid, uids, **fields))


async def confirm(device: Device, kind: str, group: str, author: str, **fields: Any) -> None:
    """Send a receipt for a message of `author` in a group, in the seed's shape."""
    envelope = act(kind, group, device.uid, To=author) | fields
    del envelope["Body"]
    await done(device, envelope)


async def bodies(device: Device, group: str, count: int) -> list[str]:
    """The Bodies of the next messages of a group."""
    return [(await device.hear("message", From=group))["Body"] for _ in range(count)]


async def heard_list(device: Device, group: str, *uids: str) -> Envelope:
    """Wait for the next `notify` of a group, which names exactly these members."""
    notify = await device.hear("notify", From=group)
    assert sorted(body_of(notify)) == sorted(uids)
    assert notify["Members"] == len(uids)
    return notify


def members(town: Town, uid: str, group: str) -> list[str]:
    """The members of a group by REST, sorted."""
    answer = town.rest(uid, "GET", f"/conversations/{group}/members")
    assert answer.status_code == 200, answer.text
    return sorted(item["uid"] for item in answer.json()["items"])


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


async def trio(town: Town, kind: Kind = "python-websocket", *, seed_form: bool = False) -> Trio:
    """Three people in a new group, each of whom has heard of it."""
    names = [town.person(name) for name in ("a", "b", "c")]
    join = town.seed_device if seed_form else town.device
    a, b, c = [await join(uid, kind) for uid in names]
    group = new_group()
    await done(a, act("create", group, a.uid, names))
    for device in (b, c):
        await device.hear("notify" if seed_form else "create", To=group)
    return Trio(group, a, b, c)
