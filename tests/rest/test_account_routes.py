"""Accounts over REST: bodies, cookies, tokens, sessions, throttles."""

from __future__ import annotations

import asyncio
import json
from http.cookies import SimpleCookie

import httpx
import pytest

from tests.rest.api import HOST, Api, check_problem
from tests.service.late import answers_late
from tests.service.world import PASSWORD
from webchat.protocol.cookies import COOKIE
from webchat.transport.proxy import Caller

DAY_S = 86_400
ANN = {"uid": "ann", "name": "Ann", "password": PASSWORD}


def cookie_of(response: httpx.Response) -> SimpleCookie:
    return SimpleCookie(response.headers.get("set-cookie", ""))


async def test_registering_answers_with_a_token_a_user_and_a_cookie(api: Api) -> None:
    response = await api.http.post("/api/v1/register", json=ANN)
    body = response.json()
    assert response.status_code == 201
    assert set(body) == {"token", "expires_at", "user"}
    assert body["user"] == {"uid": "ann", "name": "Ann"}
    assert body["expires_at"] == api.world.clock.now_ms() + 30 * DAY_S * 1000
    cookie = cookie_of(response)[COOKIE]
    assert cookie.value == body["token"]
    assert (cookie["path"], cookie["samesite"]) == ("/", "Lax")
    assert cookie["httponly"] is True
    assert cookie["secure"] == ""
    assert cookie["max-age"] == str(30 * DAY_S)


async def test_the_cookie_is_secure_under_tls(api: Api) -> None:
    api.edge.peer = Caller("192.0.2.1", secure=True)
    response = await api.http.post("/api/v1/register", json=ANN)
    assert cookie_of(response)[COOKIE]["secure"] is True


async def test_logging_in_answers_the_same_and_either_credential_will_do(api: Api) -> None:
    await api.register("ann")
    response = await api.http.post("/api/v1/login", json={"uid": "ann", "password": PASSWORD})
    token = response.json()["token"]
    assert response.status_code == 200
    for me in (
        await api.as_user(token, "GET", "/me"),
        await api.by_cookie(token, "GET", "/me"),
    ):
        assert me.json() == {
            "uid": "ann", "name": "Ann", "about": "", "display_receipts": True,
            "who_may_add_me": "everybody",
        }  # fmt: skip


async def test_the_own_page_renews_the_cookie_that_it_came_with(api: Api) -> None:
    token = await api.register("ann")
    renewed = cookie_of(await api.by_cookie(token, "GET", "/me"))[COOKIE]
    assert (renewed.value, renewed["max-age"]) == (token, str(30 * DAY_S))
    assert not cookie_of(await api.as_user(token, "GET", "/me"))


@pytest.mark.parametrize(
    "path",
    ["/me", "/sessions", "/users", "/users/ann", "/conversations", "/conversations/dm:ann:ben",
     "/conversations/dm:ann:ben/events", "/conversations/dm:ann:ben/members",
     "/conversations/dm:ann:ben/receipts?seq=1", "/invitations"],
)  # fmt: skip
async def test_without_a_login_nothing_is_told(api: Api, path: str) -> None:
    for response in (
        await api.http.get(f"/api/v1{path}"),
        await api.as_user("no-such-token", "GET", path),
        await api.by_cookie("no-such-token", "GET", path),
    ):
        check_problem(response, 401, "unauthenticated")
        assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "bearer\txyz"])
async def test_a_header_that_is_no_token_is_not_made_up_for_by_a_cookie(
    api: Api, header: str
) -> None:
    token = await api.register("ann")
    response = await api.by_cookie(token, "GET", "/me", {"Authorization": header})
    check_problem(response, 401, "unauthenticated")


async def test_a_proxys_own_login_leaves_the_cookie_its_meaning(api: Api) -> None:
    token = await api.register("ann")
    response = await api.by_cookie(token, "GET", "/me", {"Authorization": "Basic YTpi"})
    assert (response.status_code, response.json()["uid"]) == (200, "ann")


async def test_logging_out_ends_the_login_and_takes_the_cookie_back(api: Api) -> None:
    token = await api.register("ann")
    response = await api.by_cookie(token, "POST", "/logout", {"Origin": f"http://{HOST}"})
    assert (response.status_code, response.content) == (204, b"")
    cookie = cookie_of(response)[COOKIE]
    assert (cookie.value, cookie["max-age"]) == ("", "0")
    check_problem(await api.by_cookie(token, "GET", "/me"), 401, "unauthenticated")


async def test_a_taken_uid_is_a_conflict_whatever_its_case(api: Api) -> None:
    await api.register("ann")
    response = await api.http.post("/api/v1/register", json={**ANN, "uid": "Ann"})
    check_problem(response, 409, "conflict")
    assert "set-cookie" not in response.headers


async def test_a_wrong_password_and_an_unknown_uid_look_alike(api: Api) -> None:
    await api.register("ann")
    answers = [
        await api.http.post("/api/v1/login", json={"uid": uid, "password": "wrong password"})
        for uid in ("ann", "nobody", "not a uid \x00", "")
    ]
    for response in answers:
        check_problem(response, 401, "unauthenticated")
    assert len({response.content for response in answers}) == 1


async def test_too_many_attempts_say_when_to_come_back(api: Api) -> None:
    await api.register("ann")
    wrong = {"uid": "ann", "password": "wrong password"}
    for _ in range(10):
        check_problem(await api.http.post("/api/v1/login", json=wrong), 401, "unauthenticated")
    response = await api.http.post("/api/v1/login", json=wrong)
    body = check_problem(response, 429, "rate_limited")
    assert body["retry_after_ms"] == 6_000
    assert response.headers["retry-after"] == "6"


async def test_registrations_are_limited_by_the_clients_address(api: Api) -> None:
    for number in range(60):
        await api.register(f"uid{number}")
    response = await api.http.post("/api/v1/register", json=ANN)
    check_problem(response, 429, "rate_limited")
    api.edge.peer = Caller("192.0.2.9", secure=False)
    await api.register("ann")


async def test_a_patch_changes_what_it_names_and_answers_with_all(api: Api) -> None:
    token = await api.register("ann")
    change = {"display_receipts": False, "about": "Hi", "who_may_add_me": "shared"}
    response = await api.as_user(token, "PATCH", "/me", json=change)
    assert response.status_code == 200
    assert response.json() == {"uid": "ann", "name": "Ann", **change}
    assert (await api.as_user(token, "GET", "/me")).json() == response.json()
    assert (await api.as_user(token, "PATCH", "/me", json={})).json() == response.json()
    log = (await api.as_user(token, "GET", "/conversations/user:ann/events")).json()["items"]
    assert [(said["EvtType"], json.loads(said["Body"])) for said in log] == [("setting", change)]


async def test_the_last_that_is_told_of_a_setting_is_what_it_is(api: Api) -> None:
    token = await api.register("ann")
    answers_late(api.world.store.accounts)
    names = [{"name": f"Ann {number}"} for number in range(3)]
    await asyncio.gather(*[api.as_user(token, "PATCH", "/me", json=name) for name in names])
    log = (await api.as_user(token, "GET", "/conversations/user:ann/events")).json()["items"]
    told = [json.loads(said["Body"])["name"] for said in log]
    assert (len(told), told[-1]) == (3, (await api.as_user(token, "GET", "/me")).json()["name"])


@pytest.mark.parametrize(
    "change",
    [{"name": ""}, {"name": None}, {"name": 1}, {"about": "x" * 501}, {"display_receipts": "no"},
     {"display_receipts": 0}, {"who_may_add_me": "nobody"}, [], "x", None],
)  # fmt: skip
async def test_a_patch_with_a_bad_value_is_refused_and_changes_nothing(
    api: Api, change: object
) -> None:
    token = await api.register("ann")
    before = (await api.as_user(token, "GET", "/me")).json()
    response = await api.as_user(token, "PATCH", "/me", json=change)
    check_problem(response, 400, "bad_request")
    assert (await api.as_user(token, "GET", "/me")).json() == before


async def test_a_new_password_ends_the_other_sessions_alone(api: Api) -> None:
    here = await api.register("ann")
    login = await api.http.post("/api/v1/login", json={"uid": "ann", "password": PASSWORD})
    change = {"old": PASSWORD, "new": "another password"}
    response = await api.as_user(here, "POST", "/me/password", json=change)
    assert response.status_code == 204
    assert (await api.as_user(here, "GET", "/me")).status_code == 200
    check_problem(await api.as_user(login.json()["token"], "GET", "/me"), 401, "unauthenticated")


async def test_a_wrong_old_password_is_forbidden(api: Api) -> None:
    token = await api.register("ann")
    change = {"old": "wrong password", "new": "another password"}
    response = await api.as_user(token, "POST", "/me/password", json=change)
    check_problem(response, 403, "forbidden")


async def test_sessions_are_listed_without_their_tokens_and_can_be_ended(api: Api) -> None:
    here = await api.register("ann")
    api.world.clock.advance(5)
    there = (
        await api.http.post("/api/v1/login", json={"uid": "ann", "password": PASSWORD})
    ).json()["token"]
    page = (await api.as_user(here, "GET", "/sessions")).json()
    assert page["next"] is None
    assert [item["current"] for item in page["items"]] == [False, True]
    assert set(page["items"][0]) == {"id", "current", "created_at", "last_used_at"}
    assert not {item["id"] for item in page["items"]} & {here, there}
    ended = page["items"][0]["id"]
    assert (await api.as_user(here, "DELETE", f"/sessions/{ended}")).status_code == 204
    check_problem(await api.as_user(there, "GET", "/me"), 401, "unauthenticated")
    check_problem(await api.as_user(here, "DELETE", f"/sessions/{ended}"), 404, "not_found")


async def test_nobody_elses_session_can_be_ended(api: Api) -> None:
    ann, ben = await api.register("ann"), await api.register("ben")
    (session,) = (await api.as_user(ann, "GET", "/sessions")).json()["items"]
    response = await api.as_user(ben, "DELETE", f"/sessions/{session['id']}")
    check_problem(response, 404, "not_found")
    assert (await api.as_user(ann, "GET", "/me")).status_code == 200


async def test_people_are_found_in_pages(api: Api) -> None:
    token = await api.register("ann", "Ann Lee")
    for uid in ("lee1", "lee2", "lee3"):
        await api.register(uid)
    first = (await api.as_user(token, "GET", "/users?q=lee&limit=3")).json()
    assert first["items"][0] == {"uid": "ann", "name": "Ann Lee"}
    rest = (await api.as_user(token, "GET", f"/users?q=lee&after={first['next']}")).json()
    assert rest == {"items": [{"uid": "lee3", "name": "Lee3"}], "next": None}


async def test_somebody_is_told_and_nobody_is_not_found(api: Api) -> None:
    token = await api.register("ann")
    await api.register("b@en.x+1")
    person = await api.as_user(token, "GET", "/users/b@en.x+1")
    assert person.json() == {"uid": "b@en.x+1", "name": "B@En.X+1", "about": ""}
    for uid in ("nobody", "group_x", "a%20b", "%00"):
        check_problem(await api.as_user(token, "GET", f"/users/{uid}"), 404, "unknown_user")
