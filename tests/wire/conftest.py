"""One secured and one open server for all tests of the wire; each test has people of its own.

With `--on-cluster` each is a balancer with three nodes behind it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import pytest

from tests.cluster.backing import backing
from tests.cluster.cluster import Cluster
from tests.servers import Server
from tests.wire.people import Site, Town

QUICK = (
    "--rate-registrations-per-min=100000",
    "--rate-registrations-burst=100000",
    "--rate-address-logins-per-min=100000",
    "--rate-address-logins-burst=100000",
    "--receipts-interval-ms=50",
)
"""Limits that many tests at one address would meet, and shorter waits."""

_LAST_LINES = 60


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With a failure comes what the servers have logged last."""
    report = yield
    if report.failed:
        for town in (each for each in item.funcargs.values() if isinstance(each, Town)):
            lines = "\n".join(map(str, town.server.log[-_LAST_LINES:]))
            report.sections.append(("Servers' log", lines))
    return report


@pytest.fixture(scope="session")
def secured_server(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    yield from _serving(pytestconfig, tmp_path_factory.mktemp("secured"))


@pytest.fixture(scope="session")
def open_server(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    yield from _serving(pytestconfig, tmp_path_factory.mktemp("open"), "--open")


def _serving(config: pytest.Config, directory: Path, *mode: str) -> Iterator[Site]:
    if not config.getoption("--on-cluster"):
        with Server(directory, *mode, *QUICK) as server:
            yield server
        return
    with backing(*mode) as made, Cluster(directory, [*made.options, *mode, *QUICK]) as cluster:
        yield cluster


@pytest.fixture
async def town(secured_server: Site) -> AsyncIterator[Town]:
    """People on the secured server."""
    town = Town(secured_server, open_mode=False)
    yield town
    await town.close()


@pytest.fixture
async def open_town(open_server: Site) -> AsyncIterator[Town]:
    """People on the server in open mode."""
    town = Town(open_server, open_mode=True)
    yield town
    await town.close()


@pytest.fixture(params=["secured", "open"])
async def each_town(request: pytest.FixtureRequest) -> AsyncIterator[Town]:
    """People on the secured server, and again on the open one."""
    server: Site = request.getfixturevalue(f"{request.param}_server")
    town = Town(server, open_mode=request.param == "open")
    yield town
    await town.close()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A directory for a server of the test's own."""
    return tmp_path / "data"
