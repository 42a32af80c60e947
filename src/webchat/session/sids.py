"""Session ids: those of a lone node, and those that name the node they live on, signed so that
nobody else can make them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from collections.abc import Sequence
from typing import Final

_RANDOM_BYTES: Final = 15
"""A multiple of three: nothing is padded."""
_MAC_BYTES: Final = 12
_CONTEXT: Final = b"webchat session id\0"


def new_sid() -> str:
    """An id that cannot be guessed: who knows it can speak for its connection."""
    return base64.urlsafe_b64encode(os.urandom(_RANDOM_BYTES)).decode()


class Sids:
    """Ids `<node>.<random>.<mac>`, URL-safe; `mac`: HMAC-SHA256 of the rest, its first 96 bits.

    `node_id`: of the node whose ids `new` makes, without a dot; `keys`: those that all nodes of a
    store share, of which the first signs and any counts.
    """

    def __init__(self, node_id: str, *keys: bytes) -> None:
        self.node_id = node_id
        self.keys: Sequence[bytes] = keys

    def new(self) -> str:
        """An id of this node that cannot be guessed."""
        named = f"{self.node_id}.{new_sid()}"
        return f"{named}.{_mac(self.keys[0], named)}"

    def owner(self, sid: str) -> str | None:
        """The node that made `sid`; None: no node of this store did."""
        named, _, mac = sid.rpartition(".")
        genuine = any(
            hmac.compare_digest(mac.encode(), _mac(key, named).encode()) for key in self.keys
        )
        return named.partition(".")[0] if genuine else None


def _mac(key: bytes, named: str) -> str:
    digest = hmac.digest(key, _CONTEXT + named.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest[:_MAC_BYTES]).decode()
