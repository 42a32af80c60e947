"""The mark on a request that one node passes on to another: who asks, said by a trusted proxy.

A passed-on request carries `X-Forwarded-For` and `-Proto` with the client's address and scheme
alone, and a signature over them, the method and the target. Clocks of nodes differ, so a mark has
no expiry: who can read it on its way between two nodes can repeat that one request, which it could
read anyway; between nodes the network has to be private.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Final

from webchat.transport.proxy import Caller

HEADER: Final = "x-webchat-relayed"
REPLACED: Final = frozenset({HEADER.encode(), b"x-forwarded-for", b"x-forwarded-proto"})
"""Header fields of a client's request that do not go on: the mark comes in their place."""

_CONTEXT: Final = b"webchat relayed request"
_MAC_BYTES: Final = 18


class Forged(Exception):  # noqa: N818
    """A request bears a mark that no node of this store made for it."""


class Marks:
    """Makes and checks marks. `keys`: those that all nodes of a store share, of which the first
    signs and any counts."""

    def __init__(self, *keys: bytes) -> None:
        self.keys: Sequence[bytes] = keys

    def fields(self, method: bytes, target: bytes, client: Caller) -> list[tuple[bytes, bytes]]:
        """The header fields that mark a request of `client`; `target`: its path and query."""
        address = client.address.encode("latin-1")
        scheme = b"https" if client.secure else b"http"
        return [
            (b"x-forwarded-for", address),
            (b"x-forwarded-proto", scheme),
            (HEADER.encode(), _mac(self.keys[0], method, target, address, scheme)),
        ]

    def client(self, method: bytes, target: bytes, headers: Mapping[str, str]) -> Caller | None:
        """Who made a request that was passed on to this node; None: nobody passed it on.

        `headers`: names in lower case. Raises Forged.
        """
        mark = headers.get(HEADER)
        if mark is None:
            return None
        address = headers.get("x-forwarded-for", "")
        scheme = headers.get("x-forwarded-proto", "")
        signed = (method, target, address.encode("latin-1"), scheme.encode("latin-1"))
        said = mark.encode("latin-1")
        if not any(hmac.compare_digest(said, _mac(key, *signed)) for key in self.keys):
            raise Forged
        return Caller(address, scheme == "https")


def _mac(key: bytes, *signed: bytes) -> bytes:
    # None of them can contain a line's end.
    text = b"\n".join((_CONTEXT, *signed))
    digest = hmac.digest(key, text, hashlib.sha256)
    return base64.urlsafe_b64encode(digest[:_MAC_BYTES])
