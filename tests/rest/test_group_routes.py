"""Groups over REST that one is not in yet: the wire's shapes, and what is refused."""

from __future__ import annotations

from tests.rest.api import Api, check_problem
from webchat.model import Invitation

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
