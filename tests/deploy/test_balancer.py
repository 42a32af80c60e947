"""What the balancer of deploy/haproxy.cfg tells nodes of their clients."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.certificates import certify
from tests.cluster.balancer import Balancer
from tests.ports import free_port
from tests.servers import Server


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_page_that_came_through_it_may_register_and_its_cookie_is_as_safe_as_it(
    tmp_path: Path, scheme: str
) -> None:
    with Server(tmp_path / "data", "--trusted-proxy=127.0.0.0/8") as server:
        tls = None if scheme == "http" else certified(tmp_path)
        balancer = Balancer(tmp_path, [server.port, free_port()], tls)
        try:
            response = httpx.post(
                f"{balancer.url}/api/v1/register",
                json={"uid": "ann", "name": "Ann", "password": "correct horse battery"},
                headers={"Origin": balancer.url, "X-Forwarded-Proto": "gopher"},
                verify=balancer.trust,
            )
        finally:
            balancer.stop()
    assert balancer.url.startswith(f"{scheme}:")
    assert response.status_code == 201, response.text
    assert ("; secure" in response.headers["Set-Cookie"].lower()) == (scheme == "https")


@pytest.mark.parametrize(
    "path", ["/readyz", "/readyz?a=b", "/%72eadyz", "/%72%65adyz?", "/metrics"]
)
def test_what_is_for_who_runs_it_is_not_told_through_it(behind: Balancer, path: str) -> None:
    answer = httpx.get(httpx.URL(behind.url, raw_path=path.encode()), verify=behind.trust)
    assert answer.status_code == 404


def test_no_client_chooses_the_address_by_which_it_is_limited(tmp_path: Path) -> None:
    settings = ("--trusted-proxy=127.0.0.0/8", "--rate-registrations-burst=1")
    with Server(tmp_path / "data", *settings) as server:
        balancer = Balancer(tmp_path, [server.port, free_port()])
        try:
            answers = [
                httpx.post(
                    f"{balancer.url}/api/v1/register",
                    json={"uid": uid, "name": uid, "password": "correct horse battery"},
                    headers=[("X-Forwarded-For", pretended), ("X-Forwarded-For", pretended)],
                    verify=balancer.trust,
                )
                for uid, pretended in (("ann", "203.0.113.1"), ("ben", "203.0.113.2"))
            ]
        finally:
            balancer.stop()
    assert [answer.status_code for answer in answers] == [201, 429]


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Balancer]:
    """A balancer before a node that is ready."""
    directory = tmp_path_factory.mktemp("behind")
    with Server(directory / "data", "--trusted-proxy=127.0.0.0/8") as server:
        balancer = Balancer(directory, [server.port, free_port()])
        try:
            yield balancer
        finally:
            balancer.stop()


def certified(directory: Path) -> Path:
    """A certificate of 127.0.0.1 and its key in one file, as haproxy reads them."""
    key, certificate = certify(directory, "IP:127.0.0.1")
    both = directory / "both.pem"
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    return both
