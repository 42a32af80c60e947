"""The cookies of a request.

Source: RFC 6265, section 5.4. All ports of a host share them, so the others may be anything.
"""

from __future__ import annotations

from typing import Final

COOKIE: Final = "webchat_session"
"""Holds the token of a login."""


def cookie_in(header: str, name: str) -> str:
    """The value of a cookie in the field Cookie, of several of that name the last one's; "": there
    is none."""
    if not header:
        return ""
    pairs = [each.partition("=") for each in header.split(";")]
    return next((value.strip() for key, _, value in reversed(pairs) if key.strip() == name), "")
