"""Groups beyond the seed over real sockets and REST: roles, settings, invitations, links."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tests.wire.groups import Trio, act, do, new_group, refused, said, say, trio
from tests.wire.people import Device, Kind, Town, body_of

NODE: Kind = "node-websocket"


def change(group: str, who: Device, **what: Any) -> dict[str, Any]:
    """A `group` envelope."""
    return act("group", group, who.uid, Body=json.dumps(what))


async def make(three: Trio, device: Device, role: str) -> None:
    """The owner changes a role, and the others have heard of it."""
    body = json.dumps({"uid": device.uid, "role": role})
    await do(three.a, "role", three.group, Body=body)
    for other in (three.b, three.c):
        assert body_of(await other.hear("role", From=three.group))["uid"] == device.uid


async def test_an_admin_renames_puts_out_and_announces(each_town: Town) -> None:
    three = await trio(each_town, NODE)
    await make(three, three.b, "admin")
    assert (await three.b.chat(change(three.group, three.b, name="Trip", announcements=True)))["ok"]
    for device in (three.a, three.c):
        heard = body_of(await device.hear("group", From=three.group))
        assert heard == {"name": "Trip", "announcements": True}
    assert await refused(three.c, said(three.group, three.c.uid, "may I?")) == "forbidden"
    await say(three.b, three.group, "listen")
    assert (await three.c.hear("message"))["Body"] == "listen"
    await do(three.b, "remove", three.group, [three.c.uid])
    assert body_of(await three.c.hear("remove")) == [three.c.uid]
    shown = each_town.rest(three.a.uid, "GET", f"/conversations/{three.group}").json()
    assert (shown["name"], shown["members"], shown["role"]) == ("Trip", 2, "owner")
    assert shown["group"]["announcements"] is True


async def test_an_owner_who_is_away_when_it_matters_is_succeeded(town: Town) -> None:
    three = await trio(town)
    await make(three, three.c, "admin")
    await town.leave(three.c)
    await do(three.a, "depart", three.group)
    back = await town.device(three.c.uid, NODE, cursors={three.group: 2})
    departed = await back.hear("depart", ConvID=three.group)
    assert (departed["Seq"], departed["Owner"]) == (3, back.uid)
    await do(back, "close", three.group)
    assert (await three.b.hear("close"))["Originated"] == back.uid
    assert await refused(three.b, said(three.group, three.b.uid, "late")) == "group_closed"


async def test_who_wants_to_be_asked_is_invited_and_accepts_by_rest(town: Town) -> None:
    a, b = town.person("a"), town.person("b")
    assert town.rest(b, "PATCH", "/me", json={"who_may_add_me": "shared"}).status_code == 200
    anna, ben = await town.device(a), await town.device(b, NODE)
    group = new_group()
    await do(anna, "create", group, [b], Name="Trip")
    told = body_of(await ben.hear("invitation"))
    (waiting,) = town.rest(b, "GET", "/invitations").json()["items"]
    assert (told["id"], told["Conv"], told["from"]) == (waiting["id"], group, a)
    answer = await asyncio.to_thread(
        town.rest, b, "POST", f"/invitations/{told['id']}", json={"accept": True}
    )
    assert answer.json() == {"ConvID": group, "Seq": 2}
    for device in (anna, ben):
        joined = await device.hear("join", ConvID=group)
        assert (joined["Originated"], body_of(joined)) == (a, [b])
    await say(anna, group, "welcome")
    assert (await ben.hear("message"))["Body"] == "welcome"


async def test_a_link_and_a_public_group_bring_in_live(each_town: Town) -> None:
    three = await trio(each_town)
    dora, emil = [await each_town.device(each_town.person(name)) for name in ("d", "e")]
    path = f"/conversations/{three.group}/invites"
    made = each_town.rest(three.a.uid, "POST", path, json={"expires_in_s": 60, "uses": 1}).json()
    entered = each_town.rest(dora.uid, "POST", f"/invites/{made['code']}")
    assert entered.json() == {"ConvID": three.group, "Seq": 2}
    assert (await dora.hear("join", ConvID=three.group))["Originated"] == dora.uid
    assert each_town.rest(emil.uid, "POST", f"/invites/{made['code']}").status_code == 404
    await three.a.chat(change(three.group, three.a, name=three.group, public=True))
    found = each_town.rest(emil.uid, "GET", f"/groups?q={three.group}").json()["items"]
    assert [(item["ConvID"], item["members"]) for item in found] == [(three.group, 4)]
    assert each_town.rest(emil.uid, "POST", f"/groups/{three.group}/join").json()["Seq"] == 4
    await say(three.b, three.group, "hello you two")
    for device in (dora, emil):
        assert (await device.hear("message", ConvID=three.group))["Body"] == "hello you two"
