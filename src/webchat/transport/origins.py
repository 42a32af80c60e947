"""Which web pages may talk to the server: the answer for WebSocket, polling and REST alike.

Source: RFC 6454. A request without Origin does not come from a page's script on another site.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from webchat.urls import origin_of


class OwnOrListed:
    """Allows the server's own origin, that of the request's Host, and those `listed`."""

    def __init__(self, listed: Collection[str] = ()) -> None:
        self._listed = frozenset(map(origin_of, listed))

    def __call__(self, headers: Mapping[str, str], secure: bool) -> bool:
        """Whether the request may come; `secure`: the client speaks TLS."""
        origin = headers.get("origin")
        if origin is None:
            return True
        parsed = origin_of(origin)
        if parsed is None:
            return False
        own = f"{'https' if secure else 'http'}://{headers.get('host', '')}"
        return parsed == origin_of(own) or parsed in self._listed


def any_origin(headers: Mapping[str, str], secure: bool) -> bool:
    """Allows every page: for a server where nobody logs in."""
    return True


def cors_headers(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """What lets the page of an allowed request read the answer: its own Origin, never `*`,
    which browsers refuse together with credentials (Fetch, section 3.2)."""
    origin = headers.get("origin")
    if origin is None:
        return []
    return [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-allow-credentials", b"true"),
        (b"vary", b"Origin"),
    ]
