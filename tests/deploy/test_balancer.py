"""What the balancer of deploy/haproxy.cfg tells nodes of their clients."""

from __future__ import annotations

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


def certified(directory: Path) -> Path:
    """A certificate of 127.0.0.1 and its key in one file, as haproxy reads them."""
    key, certificate = certify(directory, "IP:127.0.0.1")
    both = directory / "both.pem"
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    return both
