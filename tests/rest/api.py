"""The REST application under test, its client, and the world's edge: proxies and origins."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx
from prometheus_client import CollectorRegistry

from tests.service.world import PASSWORD, World
from webchat.protocol.cookies import COOKIE
from webchat.transport.proxy import Caller, Proxies
from webchat.transport.rest import RestSettings, Services, build, build_seed

HOST: Final = "chat.example"
LISTED_ORIGIN: Final = "https://listed.example"


class Edge(Proxies):
    """Stands for the proxies in front: every client is `peer`."""

    def __init__(self) -> None:
        super().__init__()
        self.peer = Caller("127.0.0.1", secure=False)

    def resolve(self, peer: str, headers: Mapping[str, str], *, secure: bool = False) -> Caller:
        return self.peer


class Api:
    """A client without cookies of its own: what a test sends is what is sent."""

    def __init__(
        self,
        world: World,
        *,
        static_dir: Path,
        open_mode: bool = False,
        body_timeout_s: float = 20,
        at_all_addresses: bool = False,
    ) -> None:
        self.world = world
        self.edge = Edge()
        self.registry = CollectorRegistry()
        self.settings = RestSettings(
            open_mode=open_mode,
            static_dir=static_dir,
            body_timeout_s=body_timeout_s,
            at_all_addresses=at_all_addresses,
        )
        self.bus_is_up = True
        services = Services(
            world.accounts,
            world.own_account,
            world.profiles,
            world.conversations,
            world.history,
            world.readers,
            world.invitations,
            world.directory,
            world.links,
            {"store": world.store.trouble},
            {"bus": self._bus_trouble},
            self.registry,
        )
        allowed = _any_origin if open_mode else _own_or_listed
        self.app = build(services, self.settings, self.edge, allowed)
        self.http = self.client(self.app)
        self.seed = self.client(build_seed(services, self.settings, self.edge, allowed))

    def client(self, app: Any) -> httpx.AsyncClient:
        """A client of `app` that keeps no cookies."""
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False),
            base_url=f"http://{HOST}",
            cookies=_NoCookies(),
        )

    async def close(self) -> None:
        await self.http.aclose()
        await self.seed.aclose()

    async def register(self, uid: str, name: str = "") -> str:
        """A new account's token."""
        body = {"uid": uid, "name": name or uid.title(), "password": PASSWORD}
        response = await self.http.post("/api/v1/register", json=body)
        assert response.status_code == 201, response.text
        return str(response.json()["token"])

    async def as_user(self, token: str, method: str, path: str, **more: Any) -> httpx.Response:
        """A request with a bearer token to a path under /api/v1."""
        headers = {"Authorization": f"Bearer {token}", **more.pop("headers", {})}
        return await self.http.request(method, f"/api/v1{path}", headers=headers, **more)

    async def by_cookie(
        self, token: str, method: str, path: str, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """A request with the session cookie."""
        return await self.http.request(
            method, f"/api/v1{path}", headers={"Cookie": f"{COOKIE}={token}", **(headers or {})}
        )

    async def _bus_trouble(self) -> str:
        return "" if self.bus_is_up else "the bus does not answer"


def check_problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Whether an answer is the problem that was expected; its body."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    body: dict[str, Any] = response.json()
    assert (response.status_code, body["status"], body["code"]) == (status, status, code)
    assert body["title"]
    assert body["detail"]
    assert body["type"] == "about:blank"
    return body


class _NoCookies(httpx.Cookies):
    def extract_cookies(self, response: httpx.Response) -> None:
        """Keep none: each request carries what its test says."""


def _any_origin(headers: Mapping[str, str], secure: bool) -> bool:
    return True


def _own_or_listed(headers: Mapping[str, str], secure: bool) -> bool:
    own = f"{'https' if secure else 'http'}://{HOST}"
    return headers.get("origin", own) in {own, LISTED_ORIGIN}
