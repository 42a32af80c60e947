"""What holds for every request: origins, forged requests, bodies, methods, errors, headers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from ipaddress import ip_network

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send
from structlog.testing import capture_logs

from tests.memory import settle
from tests.rest.api import HOST, LISTED_ORIGIN, Api, Edge, check_problem
from tests.service.world import PASSWORD
from webchat.model import Login
from webchat.protocol.cookies import COOKIE
from webchat.transport.proxy import Proxies
from webchat.transport.rest.guard import CLIENT, Guard

ANN = {"uid": "ann", "name": "Ann", "password": PASSWORD}
OWN_ORIGIN = f"http://{HOST}"


@pytest.mark.parametrize("origin", ["http://evil.example", f"https://{HOST}", "null", ""])
@pytest.mark.parametrize(("method", "path"), [("GET", "/me"), ("POST", "/login"), ("GET", "/x")])
async def test_another_origin_is_forbidden_whatever_it_asks(
    api: Api, method: str, path: str, origin: str
) -> None:
    token = await api.register("ann")
    response = await api.by_cookie(token, method, path, {"Origin": origin})
    check_problem(response, 403, "forbidden")
    assert "access-control-allow-origin" not in response.headers


async def test_the_own_and_a_listed_origin_are_served_and_may_read_the_answer(api: Api) -> None:
    token = await api.register("ann")
    for origin in (OWN_ORIGIN, LISTED_ORIGIN):
        response = await api.by_cookie(token, "GET", "/me", {"Origin": origin})
        assert response.status_code == 200
        assert response.headers["access-control-allow-origin"] == origin
        assert response.headers["access-control-allow-credentials"] == "true"
        assert "Origin" in response.headers["vary"]


async def test_a_preflight_is_answered_for_allowed_origins_alone(api: Api) -> None:
    asked = {"Origin": LISTED_ORIGIN, "Access-Control-Request-Method": "PATCH"}
    allowed = await api.http.options("/api/v1/me", headers=asked)
    assert allowed.status_code == 204
    assert "PATCH" in allowed.headers["access-control-allow-methods"]
    assert "authorization" in allowed.headers["access-control-allow-headers"]
    refused = await api.http.options("/api/v1/me", headers={**asked, "Origin": "http://evil"})
    check_problem(refused, 403, "forbidden")


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_a_cookie_does_not_act_for_another_site_that_sends_no_origin(
    api: Api, site: str
) -> None:
    token = await api.register("ann")
    forged = await api.by_cookie(token, "POST", "/logout", {"Sec-Fetch-Site": site})
    check_problem(forged, 403, "forbidden")
    assert (await api.by_cookie(token, "GET", "/me", {"Sec-Fetch-Site": site})).status_code == 200
    bearer = {"Sec-Fetch-Site": site}
    assert (await api.as_user(token, "POST", "/logout", headers=bearer)).status_code == 204


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "same-origin"}, {"Origin": OWN_ORIGIN}])
async def test_a_cookie_acts_for_the_own_site_and_for_what_is_no_browser(
    api: Api, headers: dict[str, str]
) -> None:
    token = await api.register("ann")
    assert (await api.by_cookie(token, "POST", "/logout", headers)).status_code == 204


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"nonsense", b"[]", b"null", b'"x"', b"{}", b'{"uid": 1}', b"\xff\xfe",
     b'{"uid": "\xed\xa0\x80", "password": "x"}', b'{"uid": "\\ud800", "password": "x"}',
     b"[" * 60_000, b'{"x":' * 12_000, b'{"uid": "ann", "password": null}', b"\x00",
     b'{"uid": "ann", "password": NaN}', b'{"uid": "ann", "password": "p"} x'],
    ids=range(17),
)  # fmt: skip
@pytest.mark.parametrize("path", ["/register", "/login"])
async def test_a_broken_body_is_a_bad_request(api: Api, path: str, body: bytes) -> None:
    response = await api.http.post(f"/api/v1{path}", content=body)
    check_problem(response, 400, "bad_request")


@given(
    body=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
    | st.fixed_dictionaries({"uid": st.text(), "name": st.text(), "password": st.text()})
)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_no_json_makes_the_server_stumble(api: Api, body: object) -> None:
    token = await api.register(f"user{next(_numbers)}")
    for method, path in (
        ("POST", "/register"), ("POST", "/login"), ("PATCH", "/me"), ("POST", "/me/password"),
    ):  # fmt: skip
        api.world.clock.advance(60)
        response = await api.as_user(token, method, path, content=json.dumps(body))
        assert response.status_code in {200, 201, 400, 401, 403, 409}, (body, response.text)


_numbers = iter(range(1_000_000))


async def test_a_body_is_read_whatever_its_type_is_called(api: Api) -> None:
    headers = {"Content-Type": "text/plain"}
    response = await api.http.post("/api/v1/register", content=json.dumps(ANN), headers=headers)
    assert response.status_code == 201


async def test_a_body_over_its_limit_is_too_large_however_it_comes(api: Api) -> None:
    large = json.dumps({**ANN, "name": "n" * 70_000}).encode()

    async def in_pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(large), 1_000):
            yield large[start : start + 1_000]

    for content in (large, in_pieces()):
        response = await api.http.post("/api/v1/register", content=content)
        check_problem(response, 413, "too_large")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("PUT", "/api/v1/me", "GET, HEAD, PATCH"), ("GET", "/api/v1/login", "POST"),
     ("DELETE", "/api/v1/sessions", "GET, HEAD"), ("POST", "/healthz", "GET, HEAD"),
     ("OPTIONS", "/api/v1/me", "GET, HEAD, PATCH")],
)  # fmt: skip
async def test_a_wrong_method_is_told_the_right_ones(
    api: Api, method: str, path: str, allowed: str
) -> None:
    response = await api.http.request(method, path)
    check_problem(response, 405, "bad_request")
    assert response.headers["allow"] == allowed


@pytest.mark.parametrize(
    "path",
    ["/api/v1/nothing", "/api/v1/", "/api/v1/me/", "/api/", "/api/v2/me", "/nothing", "/add",
     "/search/ann", "/getall", "/assets/x.js", "/../etc/passwd", "/%2e%2e/etc/passwd"],
)  # fmt: skip
async def test_an_unknown_path_is_not_found(api: Api, path: str) -> None:
    check_problem(await api.http.get(path), 404, "not_found")


async def test_head_is_get_for_those_who_only_look(api: Api) -> None:
    assert (await api.http.head("/healthz")).status_code == 200
    assert (await api.http.head("/api/v1/openapi.json")).status_code == 200


async def test_every_answer_bears_the_headers_that_keep_browsers_strict(api: Api) -> None:
    for path in ("/api/v1/me", "/healthz", "/nothing", "/"):
        headers = (await api.http.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert "camera=()" in headers["permissions-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert (await api.http.get("/api/v1/me")).headers["cache-control"] == "no-store"


async def test_a_store_that_is_down_is_unavailable(api: Api) -> None:
    token = await api.register("ann")
    api.world.store.is_down = True
    check_problem(await api.as_user(token, "GET", "/me"), 503, "unavailable")
    check_problem(await api.http.post("/api/v1/register", json=ANN), 503, "unavailable")


async def test_a_mistake_of_the_servers_is_logged_once_and_tells_the_client_nothing() -> None:
    async def stumble(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("a secret detail")

    transport = httpx.ASGITransport(Guard(stumble, Edge(), _anywhere))
    with capture_logs() as logs:
        async with httpx.AsyncClient(transport=transport, base_url=OWN_ORIGIN) as client:
            response = await client.post("/x?token=t0ken", content=b"a private body")
    check_problem(response, 500, "internal")
    assert "secret" not in response.text
    (line,) = logs
    assert (line["event"], line["log_level"]) == ("a request failed", "error")
    assert "t0ken" not in repr(line)
    assert "private" not in repr(line)


async def test_what_a_client_says_of_itself_does_not_come_before_what_the_proxy_adds() -> None:
    """Proxies add a line of their own (haproxy) or to the one that came (nginx)."""
    seen: list[str] = []

    async def say(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope[CLIENT].address)
        await PlainTextResponse("")(scope, receive, send)

    guard = Guard(say, Proxies([ip_network("10.0.0.0/8")]), _anywhere)
    transport = httpx.ASGITransport(guard, client=("10.0.0.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url=OWN_ORIGIN) as client:
        for lines in (["127.0.0.1", "8.8.8.8"], ["127.0.0.1, 8.8.8.8"]):
            headers = [("X-Forwarded-For", line) for line in lines]
            await client.get("/", headers=headers)
    assert seen == ["8.8.8.8", "8.8.8.8"]


@pytest.mark.parametrize("first", [OWN_ORIGIN, "http://evil.example"])
async def test_a_second_origin_does_not_hide_behind_the_first(api: Api, first: str) -> None:
    second = OWN_ORIGIN if first != OWN_ORIGIN else "http://evil.example"
    headers = [("Origin", first), ("Origin", second)]
    check_problem(await api.http.get("/healthz", headers=headers), 403, "forbidden")


async def test_of_two_credentials_none_counts(api: Api) -> None:
    tokens = [await api.register("ann"), await api.register("ben")]
    headers = [("Authorization", f"Bearer {token}") for token in tokens]
    check_problem(await api.http.get("/api/v1/me", headers=headers), 401, "unauthenticated")


async def test_a_second_line_does_not_hide_that_a_request_comes_from_another_site(
    api: Api,
) -> None:
    token = await api.register("ann")
    headers = [("Cookie", f"{COOKIE}={token}"), ("Sec-Fetch-Site", "same-origin")]
    headers.append(("Sec-Fetch-Site", "cross-site"))
    check_problem(await api.http.post("/api/v1/logout", headers=headers), 403, "forbidden")


async def test_a_client_that_goes_away_while_it_sends_is_no_mistake() -> None:
    async def read(scope: Scope, receive: Receive, send: Send) -> None:
        await Request(scope, receive).body()

    async def gone() -> Message:
        return {"type": "http.disconnect"}

    async def nobody_hears(message: Message) -> None:
        raise AssertionError(message)

    scope = {"type": "http", "method": "POST", "path": "/x", "headers": [], "query_string": b""}
    with capture_logs() as logs:
        await Guard(read, Edge(), _anywhere)(scope, gone, nobody_hears)
    assert not logs


async def test_a_body_that_never_comes_is_not_waited_for_for_ever(api: Api) -> None:
    async def silent() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    hasty = Api(api.world, static_dir=api.settings.static_dir, body_timeout_s=0)
    response = await hasty.http.post("/api/v1/login", content=silent())
    check_problem(response, 400, "bad_request")
    await hasty.close()


async def test_whose_login_ends_while_a_body_comes_changes_nothing(api: Api) -> None:
    token = await api.register("ann")
    (login,) = await api.world.accounts.logins("ann")
    may_go_on = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b'{"name": '
        await may_go_on.wait()
        yield b'"Mallory"}'

    asked = asyncio.ensure_future(api.as_user(token, "PATCH", "/me", content=slow()))
    await settle()
    await api.world.accounts.logout(login)
    may_go_on.set()
    check_problem(await asked, 401, "unauthenticated")
    ann = await api.world.profiles.get("ann")
    assert ann is not None
    assert ann.name == "Ann"


async def test_a_login_is_asked_for_once_where_the_body_is_there(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await api.register("ann")
    authenticate, asked = api.world.accounts.authenticate, []

    async def counted(credentials: str) -> Login | None:
        asked.append(credentials)
        return await authenticate(credentials)

    monkeypatch.setattr(api.world.accounts, "authenticate", counted)
    assert (await api.as_user(token, "PATCH", "/me", json={"name": "Anna"})).status_code == 200
    assert asked == [token]


def _anywhere(headers: Mapping[str, str], secure: bool) -> bool:
    return True
