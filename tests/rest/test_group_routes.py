"""Groups over REST that one is not in yet: the wire's shapes, and what is refused."""

from __future__ import annotations

from tests.rest.api import Api, check_problem
from webchat.model import Group, Invitation

GROUP = "group_team"


async def test_invitations_have_the_contracts_shape(api: Api) -> None:
    token = await api.register("ann")
    await api.world.group(GROUP, "ben")
    await api.world.invite(Invitation("i-1", GROUP, "ann", "ben"))
    page = (await api.as_user(token, "GET", "/invitations")).json()
    now = api.world.clock.now_ms()
    assert page == {
        "items": [{"id": "i-1", "ConvID": GROUP, "from": "ben", "at": now}],
        "next": None,
    }


async def test_an_accepted_invitation_answers_where_one_is_in_now(api: Api) -> None:
    token = await api.register("ann")
    await api.world.group(GROUP, "ben")
    await api.world.invite(Invitation("i-1", GROUP, "ann", "ben"))
    answer = await api.as_user(token, "POST", "/invitations/i-1", json={"accept": True})
    assert (answer.status_code, answer.json()) == (200, {"ConvID": GROUP, "Seq": 2})
    assert (await api.as_user(token, "GET", "/invitations")).json()["items"] == []
    events = (await api.as_user(token, "GET", f"/conversations/{GROUP}/events")).json()["items"]
    assert [(e["EvtType"], e["Originated"], e["Body"]) for e in events] == [
        ("join", "ben", '["ann"]')
    ]


async def test_a_declined_invitation_is_gone(api: Api) -> None:
    token = await api.register("ann")
    await api.world.group(GROUP, "ben")
    await api.world.invite(Invitation("i-1", GROUP, "ann", "ben"))
    answer = await api.as_user(token, "POST", "/invitations/i-1", json={"accept": False})
    assert (answer.status_code, answer.json()) == (200, {"ConvID": None, "Seq": None})
    again = await api.as_user(token, "POST", "/invitations/i-1", json={"accept": True})
    check_problem(again, 404, "not_found")
    group = await api.as_user(token, "GET", f"/conversations/{GROUP}")
    check_problem(group, 404, "not_a_member")


async def test_an_answer_says_whether(api: Api) -> None:
    token = await api.register("ann")
    for body in ({}, {"accept": "yes"}, {"accept": None}):
        answer = await api.as_user(token, "POST", "/invitations/i-1", json=body)
        check_problem(answer, 400, "bad_request")


async def test_public_groups_have_the_contracts_shape_and_are_joined(api: Api) -> None:
    token = await api.register("ann")
    await api.world.group(GROUP, "ben")
    await api.world.regroup(Group(GROUP, "Team", public=True))
    page = (await api.as_user(token, "GET", "/groups?q=te")).json()
    assert page == {
        "items": [{"ConvID": GROUP, "name": "Team", "picture": None, "members": 1}],
        "next": None,
    }
    answer = await api.as_user(token, "POST", f"/groups/{GROUP}/join")
    assert (answer.status_code, answer.json()) == (200, {"ConvID": GROUP, "Seq": 3})
    shown = (await api.as_user(token, "GET", f"/conversations/{GROUP}")).json()
    assert (shown["members"], shown["role"]) == (2, "member")
    none = await api.as_user(token, "POST", "/groups/group_none/join")
    check_problem(none, 404, "not_found")


async def test_a_link_is_made_listed_used_and_revoked(api: Api) -> None:
    ann, cat, dan = [await api.register(uid) for uid in ("ann", "cat", "dan")]
    await api.world.group(GROUP, "ann")
    path = f"/conversations/{GROUP}/invites"
    response = await api.as_user(ann, "POST", path, json={"expires_in_s": 60, "uses": 5})
    made = response.json()
    expires_at = api.world.clock.now_ms() + 60_000
    assert (response.status_code, made["expires_at"], made["uses"]) == (201, expires_at, 5)
    answer = await api.as_user(cat, "POST", f"/invites/{made['code']}")
    assert (answer.status_code, answer.json()) == (200, {"ConvID": GROUP, "Seq": 2})
    assert (await api.as_user(ann, "GET", path)).json() == {
        "items": [{"id": made["id"], "from": "ann", "expires_at": expires_at, "uses": 4}],
        "next": None,
    }
    check_problem(await api.as_user(cat, "GET", path), 403, "forbidden")
    check_problem(await api.as_user(dan, "GET", path), 404, "not_a_member")
    revoked = await api.as_user(ann, "DELETE", f"{path}/{made['id']}")
    assert revoked.status_code == 204
    check_problem(await api.as_user(dan, "POST", f"/invites/{made['code']}"), 404, "not_found")


async def test_a_link_that_is_none_is_refused(api: Api) -> None:
    token = await api.register("ann")
    await api.world.group(GROUP, "ann")
    path = f"/conversations/{GROUP}/invites"
    for body in ({}, {"expires_in_s": "x"}, {"expires_in_s": 0}, {"expires_in_s": 9, "uses": 0}):
        check_problem(await api.as_user(token, "POST", path, json=body), 400, "bad_request")
    for code in ("none", "%00", "x" * 300):
        check_problem(await api.as_user(token, "POST", f"/invites/{code}"), 404, "not_found")
