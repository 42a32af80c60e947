"""Which nodes share a store, as rows in it: what they say of themselves, and their common keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec


class NodeRow(msgspec.Struct, frozen=True):
    """What a node says of itself. Clocks of nodes may differ: `beat` says whether it lives.

    `incarnation`: another one after each start, so that two processes of one `id` are told apart.
    `url`: how others reach it, http://HOST:PORT. `roles`: what it plays. `version`: webchat's.
    `beat` goes up with each renewal; `now_ms`: its wall clock then.
    """

    id: str
    incarnation: str
    url: str
    roles: tuple[str, ...]
    version: str
    beat: int
    now_ms: int


class NodeRefused(Exception):  # noqa: N818
    """The node cannot be one of the store's; the message says why, for a person at a terminal."""


class Nodes(Protocol):
    """The rows of living nodes, and of dead ones until somebody removes them.

    Every method may raise WebchatError(UNAVAILABLE). What is written is durable on return.
    """

    async def put(self, row: NodeRow) -> bool:
        """Write a node's row. False, and nothing is written, if one of that `id` is there with
        another incarnation."""

    async def all(self) -> Sequence[NodeRow]:
        """All rows, by id."""

    async def remove(self, node_id: str, incarnation: str) -> None:
        """Drop a row, if it is still of that incarnation."""

    async def shared_keys(self, fresh: bytes) -> Sequence[bytes]:
        """The keys of the nodes of this store: they sign with the first, and take what is signed
        with any. `fresh` alone if there was none before; of two that ask at once both get the
        same."""

    async def save_keys(self, keys: Sequence[bytes]) -> None:
        """The keys from now on, at least one, for whoever asks next."""
