"""A way to a server that can be cut, as a network is: what is under way comes when it is over."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType

_CHUNK_BYTES = 65_536


class Partition:
    """Passes TCP connections on from a `port` of its own to another one of this machine.

    What connections of before `begin` send is held up until `end`, whether who made them is still
    there or not; connections that are made later pass. While it is `cut` there are none at all.
    Use it as a context.
    """

    def __init__(self, to_port: int) -> None:
        self.port = 0
        self._to_port = to_port
        self._gate = _open_gate()
        self._old_gate = self._gate
        self._ways: set[asyncio.Task[None]] = set()
        self._old_ways: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._is_cut = False

    def cut(self) -> None:
        """End all connections and take no more."""
        self._is_cut = True
        for way in self._ways:
            way.cancel()

    def mend(self) -> None:
        """Take connections again."""
        self._is_cut = False

    def begin(self) -> None:
        """Hold up the connections of now."""
        self._old_gate, self._gate = self._gate, _open_gate()
        self._old_ways, self._ways = self._ways, set()
        self._old_gate.clear()

    async def end(self) -> None:
        """Deliver what was held up; returns when the server has read it and all have hung up."""
        self._old_gate.set()
        await asyncio.gather(*self._old_ways)

    async def __aenter__(self) -> Partition:
        self._server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        ways = self._ways | self._old_ways
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.close()
            return
        there = await asyncio.open_connection("127.0.0.1", self._to_port)
        for way in (_pass(reader, there[1], self._gate), _pass(there[0], writer, self._gate)):
            self._ways.add(asyncio.create_task(way))


def _open_gate() -> asyncio.Event:
    gate = asyncio.Event()
    gate.set()
    return gate


async def _pass(
    source: asyncio.StreamReader, sink: asyncio.StreamWriter, gate: asyncio.Event
) -> None:
    try:
        with suppress(ConnectionError):
            while chunk := await source.read(_CHUNK_BYTES):
                await gate.wait()
                sink.write(chunk)
                await sink.drain()
        await gate.wait()
    finally:
        sink.close()
