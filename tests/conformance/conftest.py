"""The conformance server of a test, on the loop that the server runs on in production."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
import uvloop

from tests.conformance.app import Built, build
from webchat.session.endpoint import Endpoint


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Every test here runs on uvloop."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def conformance() -> AsyncIterator[Built]:
    """The server, running."""
    built = build(0)
    await built.server.start()
    yield built
    await built.server.stop(grace_s=1.0)


@pytest.fixture
def port(conformance: Built) -> int:
    """Where it listens."""
    return conformance.port


@pytest.fixture
def engine(conformance: Built) -> Endpoint:
    """Its endpoint of raw Engine.IO."""
    return conformance.engine
