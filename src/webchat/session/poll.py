"""A poll that waits for its answer."""

from __future__ import annotations

import asyncio

from webchat.protocol.engineio import Packet, encode_payload


class DuplicatePoll(Exception):  # noqa: N818
    """A second poll came while one was waiting; the connection was closed."""


class DuplicatePost(Exception):  # noqa: N818
    """A second POST came while one was under way; the connection was closed."""


class Poll:
    """One GET of Engine.IO's polling. `body` is its answer's, in protocol `engine`."""

    __slots__ = ("_engine", "body", "most_packets")

    def __init__(self, engine: int, most_packets: int) -> None:
        self._engine = engine
        self.most_packets = most_packets
        self.body: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    @property
    def is_waiting(self) -> bool:
        """Whether it can still be answered."""
        return not self.body.done()

    def send(self, packets: list[Packet]) -> bool:
        """Answer with `packets`; it takes no more after that."""
        if self.is_waiting:
            self.body.set_result(encode_payload(packets, self._engine))
        return False
