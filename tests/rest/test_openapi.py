"""OpenAPI: a valid document, and every documented route answers what it says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.rest.api import Api
from tests.service.world import PASSWORD
from webchat.model import Group, Invitation
from webchat.transport.rest.site import API_ROUTES

CONTRACT = {
    ("POST", "/api/v1/register"), ("POST", "/api/v1/login"), ("POST", "/api/v1/logout"),
    ("GET", "/api/v1/me"), ("PATCH", "/api/v1/me"), ("POST", "/api/v1/me/password"),
    ("GET", "/api/v1/sessions"), ("DELETE", "/api/v1/sessions/{id}"),
    ("GET", "/api/v1/users"), ("GET", "/api/v1/users/{uid}"),
    ("GET", "/api/v1/conversations"), ("GET", "/api/v1/conversations/{conv}"),
    ("GET", "/api/v1/conversations/{conv}/events"),
    ("GET", "/api/v1/conversations/{conv}/members"),
    ("GET", "/api/v1/conversations/{conv}/receipts"), ("GET", "/api/v1/invitations"),
    ("POST", "/api/v1/invitations/{id}"), ("GET", "/api/v1/groups"),
    ("POST", "/api/v1/groups/{conv}/join"), ("POST", "/api/v1/invites/{code}"),
    ("GET", "/api/v1/conversations/{conv}/invites"),
    ("POST", "/api/v1/conversations/{conv}/invites"),
    ("DELETE", "/api/v1/conversations/{conv}/invites/{id}"),
}  # fmt: skip

BODIES = {
    "/api/v1/register": {"uid": "new", "name": "New", "password": PASSWORD},
    "/api/v1/login": {"uid": "ann", "password": PASSWORD},
    "/api/v1/me": {"about": "Hi"},
    "/api/v1/me/password": {"old": PASSWORD, "new": PASSWORD},
    "/api/v1/invitations/{id}": {"accept": True},
    "/api/v1/conversations/{conv}/invites": {"expires_in_s": 60},
}


@pytest.fixture
async def document(api: Api) -> dict[str, Any]:
    response = await api.http.get("/api/v1/openapi.json")
    assert response.headers["content-type"] == "application/json"
    described: dict[str, Any] = response.json()
    return described


NOWHERE = {"id": "none", "uid": "ann", "conv": "dm:cat:zoe", "code": "none"}


async def somewhere(api: Api, token: str, path: str) -> dict[str, str]:
    """What the path's parameters may be for ann to find something there."""
    await api.world.say("ann", "ben")
    await api.world.group("group_a", "ben")
    await api.world.invite(Invitation("i-1", "group_a", "ann", "ben"))
    await api.world.group("group_b", "ann")
    await api.world.regroup(Group("group_b", "B", public=True))
    made = await api.world.links.make("ann", "group_b", 60, None)
    (session,) = (await api.as_user(token, "GET", "/sessions")).json()["items"]
    ids = {"invitations": "i-1", "sessions": session["id"], "conversations": made.link.id}
    is_pair = path.startswith("/api/v1/conversations") and "invites" not in path
    return {
        "id": ids.get(path.split("/")[3], "none"),
        "uid": "ann",
        "conv": "dm:ann:ben" if is_pair else "group_b",
        "code": made.code,
    }


async def call(
    api: Api, token: str, method: str, path: str, params: Mapping[str, str] = NOWHERE
) -> httpx.Response:
    url = path.removeprefix("/api/v1").format(**params)
    query = {"seq": 1} if path.endswith("/receipts") else None
    body = BODIES.get(path) if method in {"POST", "PATCH"} else None
    return await api.as_user(token, method, url, json=body, params=query)


def check_described(document: dict[str, Any], method: str, path: str, got: httpx.Response) -> None:
    """The status is a documented one, the media type and the body are as described there."""
    described = document["paths"][path][method.lower()]["responses"][str(got.status_code)]
    if "content" not in described:
        assert got.content == b""
        return
    ((media_type, content),) = described["content"].items()
    assert got.headers["content-type"] == media_type
    schema = {**content["schema"], "components": document["components"]}
    Draft202012Validator(schema).validate(got.json())


async def test_the_document_is_valid_openapi(document: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(document).validate()


async def test_it_describes_the_contracts_routes(document: dict[str, Any]) -> None:
    described = {
        (method.upper(), path) for path, item in document["paths"].items() for method in item
    }
    assert described == CONTRACT


@pytest.mark.parametrize("route", API_ROUTES, ids=lambda route: route.handler.__name__)
async def test_every_route_succeeds_as_described(
    api: Api, document: dict[str, Any], route: Any
) -> None:
    token = await api.register("ann")
    params = await somewhere(api, token, route.path)
    response = await call(api, token, route.method, route.path, params)
    assert response.status_code == route.status
    check_described(document, route.method, route.path, response)


@pytest.mark.parametrize("route", API_ROUTES, ids=lambda route: route.handler.__name__)
async def test_every_route_fails_as_described(
    api: Api, document: dict[str, Any], route: Any
) -> None:
    token = await api.register("ann")
    await api.register("new")
    failures = [
        await call(api, "no-such-token", route.method, route.path),
        await call(api, token, route.method, route.path),
        await api.as_user(token, route.method, "/me", headers={"Origin": "http://evil"}),
    ]
    api.world.store.is_down = True
    failures.append(await call(api, token, route.method, route.path))
    for response in failures:
        check_described(document, route.method, route.path, response)
    assert failures[-1].status_code == 503


@pytest.mark.parametrize("route", API_ROUTES, ids=lambda route: route.handler.__name__)
async def test_every_route_answers_as_described_in_open_mode_too(
    open_api: Api, document: dict[str, Any], route: Any
) -> None:
    await open_api.world.say("ann", "ben")
    for named in ("ann", "no uid"):
        response = await call(open_api, named, route.method, route.path)
        check_described(document, route.method, route.path, response)
