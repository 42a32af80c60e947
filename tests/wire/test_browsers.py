"""What browsers send along: the cookie says who it is, and only own or listed origins may."""

from __future__ import annotations

from collections.abc import Iterator

import aiohttp
import pytest

from tests.servers import Server
from tests.wire.people import PASSWORD, Town

LISTED = "https://chat.example"


@pytest.fixture(scope="module")
def listing_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """It accepts one foreign origin."""
    with Server(tmp_path_factory.mktemp("listing"), f"--allow-origin={LISTED}") as server:
        yield server


async def connect_status(server: Server, transport: str, headers: dict[str, str]) -> int:
    """The HTTP status of a handshake."""
    url = f"{server.url}/socket.io/?EIO=4&transport={transport}"
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    more = upgrade if transport == "websocket" else {}
    async with aiohttp.ClientSession() as http, http.get(url, headers=headers | more) as answer:
        return answer.status


@pytest.mark.parametrize(("transport", "accepted"), [("websocket", 101), ("polling", 200)])
async def test_the_own_and_the_listed_origin_may_connect(
    listing_server: Server, transport: str, accepted: int
) -> None:
    own = listing_server.url
    for headers in ({"Origin": own}, {"Origin": LISTED}, {}):
        assert await connect_status(listing_server, transport, headers) == accepted


@pytest.mark.parametrize("transport", ["websocket", "polling"])
@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://chat.example", "https://chat.example.evil", "x"],
)
async def test_other_origins_are_refused(
    listing_server: Server, transport: str, origin: str
) -> None:
    assert 400 <= await connect_status(listing_server, transport, {"Origin": origin}) < 500


@pytest.mark.parametrize("path", ["/api/v1/register", "/api/v1/login"])
def test_other_origins_are_refused_by_rest_too(secured_server: Server, path: str) -> None:
    town = Town(secured_server, open_mode=False)
    body = {"uid": "x", "name": "x", "password": PASSWORD}
    answer = town.http.post(path, json=body, headers={"Origin": "https://evil.example"})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    town.http.close()


async def test_the_cookie_of_a_login_is_enough(town: Town) -> None:
    uid = town.person("a")
    answer = town.http.post("/api/v1/login", json={"uid": uid, "password": PASSWORD})
    cookie = f"webchat_session={answer.cookies['webchat_session']}"
    url = f"{town.server.url}/socket.io/?EIO=4&transport=websocket"
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(url, headers={"Cookie": cookie, "Origin": town.server.url}) as websocket,
    ):
        await websocket.receive_str()
        await websocket.send_str("40")
        assert (await websocket.receive_str()).startswith('40{"sid":')
        await websocket.send_str('420["join",{"device":"d","cursors":{}}]')
        while not (packet := await websocket.receive_str()).startswith("430"):
            pass
        assert f'"uid":"{uid}"' in packet.replace(" ", "")


async def test_without_cookie_and_token_a_connect_is_refused(town: Town) -> None:
    url = f"{town.server.url}/socket.io/?EIO=4&transport=websocket"
    async with aiohttp.ClientSession() as http, http.ws_connect(url) as websocket:
        await websocket.receive_str()
        await websocket.send_str("40")
        packet = await websocket.receive_str()
        assert packet.startswith("44{")
        assert '"code":"unauthenticated"' in packet.replace(" ", "")


async def test_open_mode_answers_other_origins_as_the_seeds_page_needs(open_town: Town) -> None:
    url = f"{open_town.server.url}/socket.io/?EIO=4&transport=polling"
    origin = "http://localhost:8080"
    async with (
        aiohttp.ClientSession() as http,
        http.get(url, headers={"Origin": origin}) as answer,
    ):
        assert answer.headers["Access-Control-Allow-Origin"] == origin
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"
