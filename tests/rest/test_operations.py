"""Health, readiness and metrics."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from prometheus_client import Gauge

from tests.rest.api import Api, check_problem
from tests.service.world import World
from webchat.transport.proxy import Caller


async def test_it_is_alive_without_its_store(api: Api) -> None:
    api.world.store.is_down = True
    response = await api.http.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


async def test_it_is_ready_while_all_it_stands_on_answers(api: Api) -> None:
    response = await api.http.get("/readyz")
    assert response.status_code == 200
    assert response.json() == {
        "ready": True, "state": "ready", "checks": {"store": {"ok": True}, "bus": {"ok": True}},
    }  # fmt: skip


async def test_without_its_bus_it_is_degraded_but_serves(api: Api) -> None:
    api.bus_is_up = False
    response = await api.http.get("/readyz")
    assert response.status_code == 200
    reason = "the bus does not answer"
    assert response.json() == {
        "ready": True, "state": "degraded",
        "checks": {"store": {"ok": True}, "bus": {"ok": False, "reason": reason}},
    }  # fmt: skip


async def test_without_its_store_it_is_not_ready(api: Api) -> None:
    api.world.store.is_down = True
    response = await api.http.get("/readyz")
    assert response.status_code == 503
    reason = "the store is not answering"
    assert response.json() == {
        "ready": False, "state": "unavailable",
        "checks": {"store": {"ok": False, "reason": reason}, "bus": {"ok": True}},
    }  # fmt: skip


async def test_metrics_count_requests_by_route_and_name_nobody(api: Api) -> None:
    Gauge("webchat_connections", "Open connections.", registry=api.registry).set(3)
    token = await api.register("secretuid")
    await api.as_user(token, "GET", "/users/secretuid")
    await api.http.get("/wp-admin.php")
    text = (await api.http.get("/metrics")).text
    assert "webchat_connections 3.0" in text
    expected = 'requests_total{method="GET",route="/api/v1/users/{uid}",status="200"} 1.0'
    assert expected in text
    assert 'route="other",status="404"' in text
    assert "secretuid" not in text
    assert "wp-admin" not in text


async def test_metrics_are_for_this_machine_alone(api: Api) -> None:
    for address in ("192.0.2.1", "2001:db8::1", "", "unix"):
        api.edge.peer = Caller(address, secure=False)
        check_problem(await api.http.get("/metrics"), 403, "forbidden")
    for address in ("127.0.0.1", "::1"):
        api.edge.peer = Caller(address, secure=False)
        assert (await api.http.get("/metrics")).status_code == 200


async def test_metrics_are_for_who_asks_this_machine_from_the_address_that_is_asked(
    api: Api,
) -> None:
    assert await status_of_metrics(api, asked="10.0.0.7", by="10.0.0.7") == 200
    assert await status_of_metrics(api, asked="10.0.0.7", by="10.0.0.8") == 403
    proxied = {"X-Forwarded-For": "10.0.0.7"}
    assert await status_of_metrics(api, asked="10.0.0.7", by="10.0.0.7", headers=proxied) == 403


async def test_at_all_addresses_metrics_are_for_the_loopback_alone(
    world: World, tmp_path: Path
) -> None:
    api = Api(world, static_dir=tmp_path, at_all_addresses=True)
    assert await status_of_metrics(api, asked="10.0.2.100", by="10.0.2.100") == 403
    assert await status_of_metrics(api, asked="127.0.0.1", by="127.0.0.1") == 200
    await api.close()


async def status_of_metrics(
    api: Api, asked: str, by: str, headers: dict[str, str] | None = None
) -> int:
    """What a connection between two addresses is answered."""
    api.edge.peer = Caller(by, secure=False)
    transport = httpx.ASGITransport(api.app, client=(by, 50_000))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{asked}:4001") as agent:
        return (await agent.get("/metrics", headers=headers)).status_code


@pytest.mark.parametrize("field", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "Via"])
async def test_metrics_are_not_for_whom_a_proxy_on_this_machine_speaks(
    api: Api, field: str
) -> None:
    headers = {field: "192.0.2.1"}
    check_problem(await api.http.get("/metrics", headers=headers), 403, "forbidden")
