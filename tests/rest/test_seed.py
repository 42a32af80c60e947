"""Open mode: the seed's profile server (seed flow 1), and the own API without logins."""

from __future__ import annotations

import asyncio
import json

import pytest
from starlette.routing import Route

from tests.rest.api import Api, check_problem
from tests.service.late import answers_late
from webchat.transport.rest.paths import SEED_PROFILES
from webchat.transport.rest.seed import SeedProfiles

ORIGIN = "http://localhost:8080"


async def test_a_profile_added_as_the_seeds_client_does_is_found(open_api: Api) -> None:
    headers = {"Content-Type": "text/plain;charset=UTF-8", "Origin": ORIGIN}
    body = json.dumps({"UID": "kim", "Name": "김"})
    for client in (open_api.http, open_api.seed):
        added = await client.post("/add", content=body, headers=headers)
        assert added.status_code == 200
        found = await client.get("/search/kim", headers=headers)
        assert found.json() == {"UID": "kim", "Name": "김"}
        assert found.headers["access-control-allow-origin"] == ORIGIN
        assert found.headers["access-control-allow-credentials"] == "true"


@pytest.mark.parametrize("uid", ["stranger", "group_x", "a b", "x" * 200, "안녕"])
async def test_an_unknown_uid_is_answered_as_a_profile(open_api: Api, uid: str) -> None:
    response = await open_api.http.get(f"/search/{uid}")
    assert (response.status_code, response.json()) == (200, {"UID": uid, "Name": uid})


async def test_each_path_of_the_seeds_is_told_apart_from_those_of_the_web_client(
    open_api: Api,
) -> None:
    routes = SeedProfiles(open_api.world.profiles, open_api.settings).routes()
    assert routes
    for route in routes:
        assert isinstance(route, Route)
        assert route.path.startswith(SEED_PROFILES)


async def test_getall_is_a_list_of_json_strings_the_newest_ten_first(open_api: Api) -> None:
    for number in range(12):
        await open_api.http.post("/add", json={"UID": f"uid{number}", "Name": f"N{number}"})
    open_api.world.profiles.note_recent("joiner")
    listed = [json.loads(item) for item in (await open_api.http.get("/getall")).json()]
    assert listed[0] == {"UID": "joiner", "Name": "joiner"}
    assert listed[1] == {"UID": "uid11", "Name": "N11"}
    assert len(listed) == 10


async def test_adding_somebody_again_changes_the_name_alone(open_api: Api) -> None:
    await open_api.as_user("ann", "PATCH", "/me", json={"display_receipts": False})
    await open_api.http.post("/add", json={"UID": "ann", "Name": "Anna"})
    me = (await open_api.as_user("ann", "GET", "/me")).json()
    assert (me["name"], me["display_receipts"]) == ("Anna", False)


async def test_adding_somebody_does_not_undo_what_changes_at_the_same_time(open_api: Api) -> None:
    await open_api.as_user("ann", "PATCH", "/me", json={"display_receipts": True})
    answers_late(open_api.world.store.accounts)
    await asyncio.gather(
        open_api.as_user("ann", "PATCH", "/me", json={"display_receipts": False}),
        open_api.http.post("/add", json={"UID": "ann", "Name": "Anna"}),
    )
    me = (await open_api.as_user("ann", "GET", "/me")).json()
    assert (me["name"], me["display_receipts"]) == ("Anna", False)


async def test_somebody_without_a_name_is_called_by_uid(open_api: Api) -> None:
    await open_api.http.post("/add", json={"UID": "ann"})
    assert (await open_api.http.get("/search/ann")).json()["Name"] == "ann"


@pytest.mark.parametrize(
    "body",
    [b"", b"x", b"[]", b"{}", b'{"UID": 1}', b'{"UID": "a b"}', b'{"UID": "group_x"}',
     b'{"UID": "ann", "Name": "a\\u0000"}', b'{"UID": "ann", "Name": null}'],
)  # fmt: skip
async def test_a_broken_profile_is_refused(open_api: Api, body: bytes) -> None:
    check_problem(await open_api.http.post("/add", content=body), 400, "bad_request")


async def test_a_profile_has_a_size(open_api: Api) -> None:
    response = await open_api.http.post("/add", json={"UID": "ann", "Name": "n" * 70_000})
    check_problem(response, 413, "too_large")


async def test_the_start_page_is_ok_on_both_ports(open_api: Api) -> None:
    assert (await open_api.http.get("/")).status_code == 200
    assert (await open_api.seed.get("/")).status_code == 200
    check_problem(await open_api.seed.get("/api/v1/me"), 404, "not_found")
    check_problem(await open_api.seed.get("/nothing"), 404, "not_found")


async def test_any_origin_may_ask_first(open_api: Api) -> None:
    headers = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    response = await open_api.seed.options("/add", headers=headers)
    assert response.status_code == 204
    assert response.headers["access-control-allow-origin"] == ORIGIN


async def test_a_bearer_names_the_user_as_a_join_does(open_api: Api) -> None:
    await open_api.world.say("ann", "ben")
    page = (await open_api.as_user("ben", "GET", "/conversations")).json()
    assert [item["ConvID"] for item in page["items"]] == ["dm:ann:ben"]
    assert (await open_api.as_user("zoe", "GET", "/conversations")).json()["items"] == []


@pytest.mark.parametrize("named", ["", "a b", "group_x"])
async def test_who_is_not_named_is_asked_to(open_api: Api, named: str) -> None:
    check_problem(await open_api.as_user(named, "GET", "/me"), 400, "bad_request")
    check_problem(await open_api.http.get("/api/v1/me"), 400, "bad_request")


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/register"), ("POST", "/login"), ("POST", "/logout"), ("POST", "/me/password"),
     ("GET", "/sessions"), ("DELETE", "/sessions/x")],
)  # fmt: skip
async def test_there_is_nothing_to_log_in_to(open_api: Api, method: str, path: str) -> None:
    check_problem(await open_api.as_user("ann", method, path), 404, "not_found")
