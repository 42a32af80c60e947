"""URLs that may hold a password, as they may be shown; and the origins of web pages."""

from __future__ import annotations

from typing import Final
from urllib.parse import SplitResult, urlsplit

Origin = tuple[str, str, int | None]
"""Scheme, host and port (RFC 6454, section 4)."""

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def shown(url: str) -> str:
    """A URL without its login and its options, which may be secret."""
    parts = urlsplit(url)
    if not is_clear(parts):
        return f"{parts.scheme}://***"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def origin_of(url: str) -> Origin | None:
    """Where a page of that URL comes from; None: no page does."""
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
    if not parts.hostname or "@" in parts.netloc or parts.scheme not in _DEFAULT_PORTS:
        return None
    return parts.scheme, parts.hostname, port


def is_clear(parts: SplitResult) -> bool:
    """Whether the login certainly ends within `netloc`. A `/`, `?` or `#` in a password that is
    not percent-encoded ends it early, and the rest is taken for a path or an option."""
    if "@" in parts.path + parts.query + parts.fragment:
        return False
    hosts = parts.netloc.rpartition("@")[2].split(",")
    ports = [host.rpartition("]")[2].rpartition(":")[2] for host in hosts if ":" in host]
    return all(port.isdecimal() or not port for port in ports)
