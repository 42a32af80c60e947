"""What a checker says when a promise is broken."""

from __future__ import annotations


class Violation(Exception):  # noqa: N818  (what it is called among those who check histories)
    """A promise of docs/protocol.md did not hold; the message begins with its name."""


def require(holds: bool, promise: str, said: str) -> None:
    """Raises Violation unless `holds`."""
    if not holds:
        raise Violation(f"{promise}: {said}")
