"""Engine.IO packets and payloads, in protocols 4 and 3."""

from __future__ import annotations

import json
from collections.abc import Callable

import hypothesis.strategies as st
import pytest
from hypothesis import given

from webchat.protocol.engineio import (
    Handshake,
    Packet,
    decode_payload,
    decode_v3_binary,
    decode_v3_packet,
    encode_payload,
)
from webchat.protocol.errors import ProtocolError


def test_a_handshake_has_exactly_the_fields_of_the_protocol() -> None:
    packet = Handshake("abc", ["websocket"], 25_000, 20_000, 1_000_000).packet()
    assert packet.text[:1] == b"0"
    assert json.loads(packet.text[1:]) == {
        "sid": "abc",
        "upgrades": ["websocket"],
        "pingInterval": 25_000,
        "pingTimeout": 20_000,
        "maxPayload": 1_000_000,
    }


def test_a_packet_is_framed_once_for_all_connections() -> None:
    packet = Packet(b"4hello")
    assert packet.frames == b"\x81\x064hello"
    assert packet.frames is packet.frames


def test_attachments_follow_in_frames_of_their_own() -> None:
    packet = Packet(b"4x", [b"ab", b"c"])
    assert packet.frames == b"\x81\x024x\x82\x02ab\x82\x01c"
    assert packet.frames_v3 == b"\x81\x024x\x82\x03\x04ab\x82\x02\x04c"
    assert packet.size == 5


def test_a_payload_joins_text_and_base64() -> None:
    packets = [Packet(b"4hello"), Packet(attachments=[b"\x01\x02\x03\x04"])]
    assert encode_payload(packets, 4) == b"4hello\x1ebAQIDBA=="


def test_a_payload_comes_apart_again() -> None:
    body = "4한\x1ebAQIDBA==\x1e2".encode()
    assert [*decode_payload(body, 4)] == ["4한", b"\x01\x02\x03\x04", "2"]


@pytest.mark.parametrize(
    "body", [b"", b"abc", b"4a\x1e", b"7", b"b!!!!", b"bAQ", b"4\xff", "b한".encode()]
)
def test_a_malformed_payload_is_refused(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        list(decode_payload(body, 4))


# Protocol 3. The three kinds of client differ in how they count what is not ASCII.


def as_browsers_post(packet: str) -> bytes:
    """engine.io-client 1.x: the packet as UTF-8, taken for characters, counted, sent as UTF-8."""
    doubled = packet.encode().decode("latin-1")
    return f"{len(doubled)}:{doubled}".encode()


def as_later_clients_post(packet: str) -> bytes:
    """engine.io-client 3.x: counted in UTF-16 units, encoded once."""
    return f"{len(packet.encode('utf-16-le')) // 2}:{packet}".encode()


@pytest.mark.parametrize("post", [as_browsers_post, as_later_clients_post])
@pytest.mark.parametrize("text", ["42[1]", "4안녕하세요", "4😀 hi", "4"])
def test_text_of_protocol_3_survives_any_way_of_counting(
    post: Callable[[str], bytes], text: str
) -> None:
    assert [*decode_payload(post(text) + post("2"), 3)] == [text, "2"]


@given(st.lists(st.text().map(lambda text: "4" + text), min_size=1, max_size=4))
def test_any_text_posted_by_the_old_browsers_client_is_read(packets: list[str]) -> None:
    assert [*decode_payload(b"".join(map(as_browsers_post, packets)), 3)] == packets


def test_answers_of_protocol_3_count_the_same_in_bytes_characters_and_doubled_bytes() -> None:
    body = encode_payload([Packet('42["한😀"]'.encode()), Packet(b"3")], 3)
    assert body.isascii()
    length, _, rest = body.partition(b":")
    packet = rest[: int(length)].decode()
    assert packet[0] == "4"
    assert json.loads(packet[2:]) == ["한😀"]
    assert rest[int(length) :] == b"1:3"


def test_binary_messages_of_protocol_3_are_base64_with_their_type() -> None:
    assert encode_payload([Packet(attachments=[b"\x01\x02\x03"])], 3) == b"6:b4AQID"
    assert [*decode_payload(b"6:b4AQID", 3)] == [b"\x01\x02\x03"]
    assert decode_v3_packet("b4AQID") == b"\x01\x02\x03"
    assert decode_v3_binary(b"\x04abc") == b"abc"


@pytest.mark.parametrize("body", [b"4hello", b"9:4a", b":4", b"-1:4", b"1:9", b"3:b2A", b"1:"])
def test_a_malformed_payload_of_protocol_3_is_refused(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        list(decode_payload(body, 3))


def test_a_binary_frame_of_protocol_3_without_a_message_type_is_refused() -> None:
    with pytest.raises(ProtocolError):
        decode_v3_binary(b"\x02abc")


@given(st.binary(max_size=60))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    for engine in (3, 4):
        try:
            list(decode_payload(body, engine))
        except ProtocolError:
            continue
