"""The conformance server of a test, on the loop that the server runs on in production."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
import uvloop

from tests.conformance.app import build


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Every test here runs on uvloop."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Where it listens."""
    server, port = build(0)
    await server.start()
    yield port
    await server.stop(grace_s=1.0)
