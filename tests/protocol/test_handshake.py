"""The opening handshake of a WebSocket, by the rules of RFC 6455."""

from __future__ import annotations

import pytest

from webchat.protocol.handshake import HandshakeRefused, accept, accept_key

GOOD = {
    "connection": "Upgrade",
    "upgrade": "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def test_the_key_of_the_rfc_gets_the_answer_of_the_rfc() -> None:
    assert accept_key("dGhlIHNhbXBsZSBub25jZQ==") == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_the_answer_names_no_extension() -> None:
    answer = accept("GET", {**GOOD, "sec-websocket-extensions": "permessage-deflate"})
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert answer.endswith(b"\r\n\r\n")
    assert b"xtensions" not in answer


@pytest.mark.parametrize("connection", ["keep-alive, Upgrade", "upgrade", "Upgrade,keep-alive"])
def test_upgrade_may_be_one_connection_option_of_several(connection: str) -> None:
    assert accept("GET", {**GOOD, "connection": connection, "upgrade": "WebSocket"})


@pytest.mark.parametrize(
    ("method", "changed", "status"),
    [
        ("POST", {}, 405),
        ("GET", {"sec-websocket-version": "8"}, 426),
        ("GET", {"sec-websocket-version": ""}, 426),
        ("GET", {"sec-websocket-key": ""}, 400),
        ("GET", {"sec-websocket-key": "c2hvcnQ="}, 400),
        ("GET", {"sec-websocket-key": "***"}, 400),
        ("GET", {"sec-websocket-key": "é" * 24}, 400),
        ("GET", {"connection": "keep-alive"}, 400),
        ("GET", {"upgrade": "h2c"}, 400),
    ],
)
def test_what_is_no_handshake_is_refused(method: str, changed: dict[str, str], status: int) -> None:
    with pytest.raises(HandshakeRefused) as refused:
        accept(method, {**GOOD, **changed})
    assert refused.value.status == status


def test_another_version_is_told_which_one_is_spoken() -> None:
    with pytest.raises(HandshakeRefused) as refused:
        accept("GET", {**GOOD, "sec-websocket-version": "8"})
    assert refused.value.headers == {"Sec-WebSocket-Version": "13"}
