"""Which web pages may talk to the server: the answer for WebSocket, polling and REST alike.

Source: RFC 6454. A request without Origin does not come from a page's script on another site.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import urlsplit

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}

_Origin = tuple[str, str, int | None]


class OwnOrListed:
    """Allows the server's own origin, that of the request's Host, and those `listed`."""

    def __init__(self, listed: Collection[str] = ()) -> None:
        self._listed = frozenset(_parsed(origin) for origin in listed) - {None}

    def __call__(self, headers: Mapping[str, str], secure: bool) -> bool:
        """Whether the request may come; `secure`: the client speaks TLS."""
        origin = headers.get("origin")
        if origin is None:
            return True
        parsed = _parsed(origin)
        if parsed is None:
            return False
        own = f"{'https' if secure else 'http'}://{headers.get('host', '')}"
        return parsed == _parsed(own) or parsed in self._listed


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


def _parsed(origin: str) -> _Origin | None:
    try:
        parts = urlsplit(origin)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
    if not parts.hostname or parts.scheme not in _DEFAULT_PORTS:
        return None
    return parts.scheme, parts.hostname, port
