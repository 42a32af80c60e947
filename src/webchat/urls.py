"""URLs that may hold a password: whether it is where one that is left out would be."""

from __future__ import annotations

from urllib.parse import SplitResult


def is_clear(parts: SplitResult) -> bool:
    """Whether the login certainly ends within `netloc`. A `/`, `?` or `#` in a password that is
    not percent-encoded ends it early, and the rest is taken for a path or an option."""
    if "@" in parts.path + parts.query + parts.fragment:
        return False
    hosts = parts.netloc.rpartition("@")[2].split(",")
    ports = [host.rpartition("]")[2].rpartition(":")[2] for host in hosts if ":" in host]
    return all(port.isdecimal() or not port for port in ports)
