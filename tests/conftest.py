"""Options of the whole test run."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings

from tests.engines.engine import UNTIL_THE_RUN_ENDS
from tests.processes import end_as_by_ctrl_c, reach_loopback_directly

# How long an example takes says more of the machine than of what is tested.
settings.register_profile("webchat", deadline=None)
settings.load_profile("webchat")

_processes: list[int] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest --on-cluster tests/wire/test_flow_*.py`: everybody on a node of their own."""
    parser.addoption(
        "--on-cluster",
        action="store_true",
        help="run the servers of tests/wire as three nodes behind a balancer",
    )


def pytest_configure() -> None:
    """In each process of the run."""
    end_as_by_ctrl_c(_processes)
    reach_loopback_directly()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodeready(node: Any) -> None:
    """A process of the run is there: what its tests have started is its own to end."""
    _processes.append(node.gateway._io.popen.pid)


def pytest_unconfigure() -> None:
    """End the servers that the tests of this process shared."""
    UNTIL_THE_RUN_ENDS.close()
