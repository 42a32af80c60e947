"""The opening handshake of a WebSocket, the server's half: header fields in, an answer out.

Source: RFC 6455, section 4.2. No extension and no subprotocol is ever accepted.
"""

from __future__ import annotations

import binascii
import hashlib
from collections.abc import Mapping
from typing import Final

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_VERSION: Final = "13"
_KEY_BYTES: Final = 16


class HandshakeRefused(Exception):  # noqa: N818
    """No WebSocket comes of this request: answer with `status` and `headers`."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}


def accept(method: str, headers: Mapping[str, str]) -> bytes:
    """The head of the answer 101 to an upgrade request; `headers`: names in lower case.

    Raises HandshakeRefused: 405 for other methods than GET, 426 for another version of the
    protocol, 400 for a broken key or what is no upgrade to WebSocket.
    """
    if method != "GET":
        raise HandshakeRefused(405, "A WebSocket begins with GET.", {"Allow": "GET"})
    _check_upgrade(headers)
    if headers.get("sec-websocket-version") != _VERSION:
        raise HandshakeRefused(
            426, "WebSocket version 13 is needed.", {"Sec-WebSocket-Version": _VERSION}
        )
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %b\r\n\r\n" % accept_key(_key(headers))
    )


def accept_key(key: str) -> bytes:
    """The value of Sec-WebSocket-Accept that answers `key`."""
    # SHA-1 is what the RFC asks for; nothing secret rests on it.
    digest = hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()
    return binascii.b2a_base64(digest, newline=False)


def _check_upgrade(headers: Mapping[str, str]) -> None:
    options = {option.strip().lower() for option in headers.get("connection", "").split(",")}
    if "upgrade" not in options or headers.get("upgrade", "").strip().lower() != "websocket":
        raise HandshakeRefused(400, "This is no upgrade to WebSocket.")


def _key(headers: Mapping[str, str]) -> str:
    key = headers.get("sec-websocket-key", "").strip()
    try:
        is_key = len(binascii.a2b_base64(key, strict_mode=True)) == _KEY_BYTES
    except (binascii.Error, ValueError):
        is_key = False
    if not is_key:
        raise HandshakeRefused(400, "Sec-WebSocket-Key is missing or broken.")
    return key
