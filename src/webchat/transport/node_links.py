"""HTTP/1.1 to other nodes: connections that are kept open, with one exchange at a time on each."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import httptools

from webchat.ports.clock import Clock
from webchat.session.deadlines import Deadlines

_PIECE_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True)
class NodeLinkSettings:
    """Limits and times of connections to other nodes.

    `answer_timeout_ms`: for which a node may be silent before and within an answer, so longer than
    a poll is held. `idle_ms`: how long a connection is kept for the next request, shorter than the
    other node keeps it (`ServerSettings.keep_alive_s`).
    """

    connect_timeout_ms: int = 1_000
    answer_timeout_ms: int = 60_000
    idle_ms: int = 5_000
    max_idle_per_node: int = 64


class NoAnswer(Exception):  # noqa: N818
    """No node has answered."""


class Unreachable(NoAnswer):
    """No connection to a node came about: it has seen nothing of the request."""


class Broken(NoAnswer):
    """A node did not answer to the end, or not in time."""


def address(url: str) -> tuple[str, int]:
    """The host and the port of http://HOST:PORT."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 80


class NodeLink:
    """A connection to the node at `url`.

    Of the answer there are `status`, `fields` (names in lower case), then its body piece by piece.
    """

    def __init__(
        self,
        url: str,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        silence_s: float,
    ) -> None:
        self.url = url
        self.status = 0
        self.fields: list[tuple[bytes, bytes]] = []
        self._reader = reader
        self._writer = writer
        self._silence_s = silence_s
        self._parser = httptools.HttpResponseParser(self)
        self._pieces: list[bytes] = []
        self._has_body = True
        self._is_complete = False

    @property
    def is_reusable(self) -> bool:
        """Whether, after an exchange, another can follow."""
        if self._reader.at_eof() or self._writer.is_closing():
            return False
        # The parser waits for the body that an answer to HEAD announces.
        return self._is_complete and self._has_body and self._parser.should_keep_alive()

    async def ask(self, request: bytes, *, has_body: bool) -> None:
        """Send a request; return once the head of its answer is there, and all of a small one, so
        that it can be passed on whole or not at all. Raises Broken.

        `has_body`: whether the answer to its method has one.
        """
        self.fields, self._pieces = [], []
        self._is_complete = False
        self._has_body = has_body
        self._writer.write(request)
        while not self._is_complete and sum(map(len, self._pieces)) < _PIECE_BYTES:
            await self._hear()

    async def piece(self) -> tuple[bytes, bool]:
        """The next bytes of the body, and whether more will come. Raises Broken."""
        if not self._pieces and not self._is_complete:
            await self._hear()
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces), not self._is_complete

    def abort(self) -> None:
        """End it at once; who waits for an answer hears that it is broken."""
        self._writer.transport.abort()

    async def _hear(self) -> None:
        try:
            async with asyncio.timeout(self._silence_s):
                data = await self._reader.read(_PIECE_BYTES)
        except (OSError, TimeoutError) as error:
            raise Broken from error
        if not data:
            raise Broken
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise Broken from error

    # httptools' callbacks.

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head."""
        self.fields.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """The head is there."""
        self.status = self._parser.get_status_code()
        self._is_complete = not self._has_body

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._pieces.append(body)

    def on_message_complete(self) -> None:
        """All of the answer is there."""
        self._is_complete = True


class NodeLinks:
    """All connections of this node to others, the idle ones too."""

    def __init__(self, clock: Clock, settings: NodeLinkSettings) -> None:
        self._settings = settings
        self._open: defaultdict[str, set[NodeLink]] = defaultdict(set)
        self._idle: defaultdict[str, list[NodeLink]] = defaultdict(list)
        self._expiry: Deadlines[NodeLink] = Deadlines(clock, settings.idle_ms / 1000, self._expire)

    async def take(self, url: str) -> NodeLink:
        """An idle connection to that node, or a new one. Raises Unreachable."""
        idle = self._idle.get(url)
        while idle:
            link = idle.pop()
            self._expiry.discard(link)
            if link.is_reusable:
                return link
            self._drop(link)
        return await self._connect(url)

    def give_back(self, link: NodeLink) -> None:
        """Its exchange is over: keep it for the next, unless it broke or was left unfinished."""
        if link.is_reusable and self._has_room(link.url):
            self._idle[link.url].append(link)
            self._expiry.add(link)
        else:
            self._drop(link)

    def abort(self, url: str) -> None:
        """End all connections to that node."""
        self._idle.pop(url, None)
        for link in self._open.pop(url, ()):
            self._expiry.discard(link)
            link.abort()

    def close(self) -> None:
        """End all connections."""
        for url in list(self._open):
            self.abort(url)
        self._expiry.stop()

    async def _connect(self, url: str) -> NodeLink:
        host, port = address(url)
        try:
            async with asyncio.timeout(self._settings.connect_timeout_ms / 1000):
                reader, writer = await asyncio.open_connection(host, port, limit=_PIECE_BYTES)
        except (OSError, TimeoutError) as error:
            raise Unreachable from error
        link = NodeLink(url, reader, writer, self._settings.answer_timeout_ms / 1000)
        self._open[url].add(link)
        return link

    def _has_room(self, url: str) -> bool:
        return len(self._idle[url]) < self._settings.max_idle_per_node

    def _expire(self, link: NodeLink) -> None:
        self._idle[link.url].remove(link)
        self._drop(link)

    def _drop(self, link: NodeLink) -> None:
        if (others := self._open.get(link.url)) is not None:
            others.discard(link)
        link.abort()
