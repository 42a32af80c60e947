"""HTTP long-polling: what it answers, its limits, and pages of other origins."""

from __future__ import annotations

import json

import pytest

from tests.transport.site import POLLING, running
from tests.transport.wire import Wire, eventually, polling_session, request
from webchat.session.endpoint import EngineSettings
from webchat.transport import admission
from webchat.transport.origins import OwnOrListed, any_origin
from webchat.transport.server import ServerSettings

PAGE = {"Origin": "http://page.example"}


@pytest.mark.parametrize(
    ("method", "path", "answer"),
    [
        ("GET", "/engine.io/?EIO=4", (400, 0, "Transport unknown")),
        ("GET", "/engine.io/?EIO=4&transport=abc", (400, 0, "Transport unknown")),
        ("GET", "/engine.io/?EIO=4&transport=websocket", (400, 3, "Bad request")),
        ("GET", f"{POLLING}&sid=unknown", (400, 1, "Session ID unknown")),
        ("POST", f"{POLLING}&sid=unknown", (400, 1, "Session ID unknown")),
        ("POST", POLLING, (400, 2, "Bad handshake method")),
        ("PUT", POLLING, (400, 2, "Bad handshake method")),
        ("GET", "/engine.io/?EIO=3&transport=polling", (400, 5, "Unsupported protocol version")),
        ("GET", "/engine.io/?transport=polling", (400, 5, "Unsupported protocol version")),
        ("GET", f"{POLLING}&j=0", (400, 3, "Bad request")),
        ("GET", f"{POLLING}{'&a=b' * 40}", (400, 3, "Bad request")),
    ],
)
async def test_what_is_refused_says_so_in_engine_io_s_words(
    method: str, path: str, answer: tuple[int, int, str]
) -> None:
    async with running() as site:
        refused = await request(site.port, method, path)
    status, code, message = answer
    assert refused.status == status
    assert refused.json == {"code": code, "message": message}


async def test_of_queries_only_short_ones_are_remembered() -> None:
    remembered = admission._parsed.cache_info
    async with running() as site:
        await request(site.port, "GET", f"{POLLING}&t=remembered")
        before = remembered().currsize
        assert before > 0
        await request(site.port, "GET", f"{POLLING}&t={'x' * 60_000}")
    assert remembered().currsize == before


@pytest.mark.parametrize("path", ["/engine.io", "/engine.io/"])
async def test_the_trailing_slash_may_be_missing(path: str) -> None:
    async with running() as site:
        answer = await request(site.port, "GET", f"{path}?EIO=4&transport=polling")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/plain; charset=UTF-8"
    assert answer.headers["cache-control"] == "no-store"


async def test_no_answer_is_anything_that_a_browser_would_run() -> None:
    async with running() as site:
        sid = await polling_session(site.port, "/engine.io/")
        answers = [
            await request(site.port, "POST", f"{POLLING}&sid={sid}", body="4hello"),
            await request(site.port, "GET", f"{POLLING}&sid={sid}"),
            await request(site.port, "GET", f"{POLLING}&sid=unknown"),
        ]
    assert [answer.status for answer in answers] == [200, 200, 400]
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        policy = answer.headers["content-security-policy"]
        assert policy == "default-src 'none'; frame-ancestors 'none'"


async def test_a_body_over_the_limit_is_refused_and_the_session_stays() -> None:
    async with running(EngineSettings(max_payload_bytes=1_000)) as site:
        sid = await polling_session(site.port, "/engine.io/")
        path = f"{POLLING}&sid={sid}"
        assert (await request(site.port, "POST", path, body="4" + "x" * 1_000)).status == 413
        assert (await request(site.port, "POST", path, body="4" + "x" * 999)).status == 200


async def test_until_a_client_is_in_a_long_body_is_refused() -> None:
    event = f'42["message","{"x" * 300_000}"]'
    async with running() as site:
        sid = await polling_session(site.port, "/socket.io/")
        path = f"/socket.io/?EIO=4&transport=polling&sid={sid}"
        assert (await request(site.port, "POST", path, body=event)).status == 413
        assert (await request(site.port, "POST", path, body="40")).status == 200
        assert (await request(site.port, "GET", path)).body.startswith(b"40{")
        assert (await request(site.port, "POST", path, body=event)).status == 200


def half_a_post(sid: str) -> bytes:
    """The head of a POST of that session, and less of its body than it says."""
    head = f"POST {POLLING}&sid={sid} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"
    return head.encode() + b"4a"


async def test_a_body_that_takes_too_long_is_given_up() -> None:
    async with running(settings=ServerSettings(body_timeout_ms=100)) as site:
        sid = await polling_session(site.port, "/engine.io/")
        async with await Wire.connect(site.port) as wire:
            wire.write(half_a_post(sid))
            assert (await wire.answer()).status == 408


async def test_a_second_post_while_one_is_under_way_ends_the_session() -> None:
    async with running() as site:
        sid = await polling_session(site.port, "/engine.io/")
        path = f"{POLLING}&sid={sid}"
        async with await Wire.connect(site.port) as wire:
            wire.write(half_a_post(sid))
            connection = site.engine.find(sid)
            assert connection is not None
            await eventually(lambda: connection in site.engine.posting)
            refused = await request(site.port, "POST", path, body="4b")
            assert (refused.status, refused.json["code"]) == (400, 3)
            assert site.engine.find(sid) is None
        await eventually(lambda: not site.engine.posting)


async def test_a_post_that_broke_off_may_be_sent_again() -> None:
    async with running() as site:
        sid = await polling_session(site.port, "/engine.io/")
        path = f"{POLLING}&sid={sid}"
        async with await Wire.connect(site.port) as wire:
            wire.write(half_a_post(sid))
            await eventually(lambda: bool(site.engine.posting))
        await eventually(lambda: not site.engine.posting)
        assert (await request(site.port, "POST", path, body="4a")).body == b"ok"
        assert (await request(site.port, "GET", path)).body == b"4a"


async def test_a_client_that_leaves_its_poll_loses_the_session() -> None:
    async with running() as site:
        sid = await polling_session(site.port, "/engine.io/")
        async with await Wire.connect(site.port) as wire:
            wire.write(f"GET {POLLING}&sid={sid} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            connection = site.engine.find(sid)
            assert connection is not None
            await eventually(lambda: connection.is_polled)
        await eventually(lambda: site.engine.find(sid) is None)


async def test_many_packets_fit_in_one_post() -> None:
    async with running(EngineSettings(max_poll_packets=0)) as site:
        sid = await polling_session(site.port, "/engine.io/")
        body = "\x1e".join(f"4{number}" for number in range(200))
        assert (await request(site.port, "POST", f"{POLLING}&sid={sid}", body=body)).body == b"ok"
        assert (await request(site.port, "GET", f"{POLLING}&sid={sid}")).body.decode() == body


async def test_when_there_is_no_room_the_client_hears_when_to_come_back() -> None:
    async with running(EngineSettings(max_polling_connections=1)) as site:
        await polling_session(site.port, "/engine.io/")
        answer = await request(site.port, "GET", POLLING)
        assert answer.status == 503
        assert 1 <= int(answer.headers["retry-after"]) <= 5


async def test_an_allowed_page_may_read_the_answer_with_credentials() -> None:
    async with running(origin_allowed=any_origin) as site:
        answer = await request(site.port, "GET", POLLING, headers=PAGE)
        refused = await request(site.port, "GET", f"{POLLING}&sid=unknown", headers=PAGE)
    for each in (answer, refused):
        assert each.headers["access-control-allow-origin"] == "http://page.example"
        assert each.headers["access-control-allow-credentials"] == "true"
        assert each.headers["vary"] == "Origin"


async def test_a_listed_page_may_too() -> None:
    async with running(origin_allowed=OwnOrListed(["http://page.example"])) as site:
        answer = await request(site.port, "GET", POLLING, headers=PAGE)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "http://page.example"


async def test_another_page_may_not() -> None:
    async with running() as site:
        answer = await request(site.port, "GET", POLLING, headers=PAGE)
        preflight = await request(site.port, "OPTIONS", POLLING, headers=PAGE)
    for each in (answer, preflight):
        assert each.status == 403
        assert each.json["code"] == 4
        assert "access-control-allow-origin" not in each.headers


async def test_a_preflight_is_answered() -> None:
    headers = {
        **PAGE,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    async with running(origin_allowed=any_origin) as site:
        answer = await request(site.port, "OPTIONS", POLLING, headers=headers)
    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == "http://page.example"
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-allow-headers"] == "content-type"


async def test_protocol_3_is_spoken_where_it_is_allowed() -> None:
    async with running(EngineSettings(allow_engine3=True)) as site:
        path = "/socket.io/?EIO=3&transport=polling"
        opened = (await request(site.port, "GET", path)).body
        length, _, rest = opened.partition(b":")
        assert len(rest) == int(length)
        path += f"&sid={json.loads(rest[1:])['sid']}"
        assert (await request(site.port, "GET", path)).body == b'2:4013:42["auth",{}]'
        event = '42["message","안녕"]'
        doubled = event.encode().decode("latin-1")
        body = f"{len(doubled)}:{doubled}1:2"
        assert (await request(site.port, "POST", path, body=body)).body == b"ok"
        answer = (await request(site.port, "GET", path)).body
        assert answer.isascii()
        length, _, rest = answer.partition(b":")
        assert json.loads(rest[2 : int(length)]) == ["message-back", "안녕"]
        assert rest[int(length) :] == b"1:3"
