"""Socket.IO packets: taken apart, made, and refused."""

from __future__ import annotations

import json
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from webchat.protocol.errors import ProtocolError
from webchat.protocol.socketio import (
    Event,
    Incoming,
    ack_packet,
    connect_error_packet,
    connect_packet,
    decode,
    decode_auth,
    decode_event,
    event_packet,
)


@pytest.mark.parametrize(
    ("text", "packet"),
    [
        ("0", Incoming("0", "/", None, 0, "")),
        ('0{"token":"a"}', Incoming("0", "/", None, 0, '{"token":"a"}')),
        ("0/custom,", Incoming("0", "/custom", None, 0, "")),
        ("0/custom", Incoming("0", "/custom", None, 0, "")),
        ('0/custom,{"a":1}', Incoming("0", "/custom", None, 0, '{"a":1}')),
        ("1", Incoming("1", "/", None, 0, "")),
        ("1/custom,", Incoming("1", "/custom", None, 0, "")),
        ('2["a"]', Incoming("2", "/", None, 0, '["a"]')),
        ('212["a"]', Incoming("2", "/", 12, 0, '["a"]')),
        ('2/custom,12["a"]', Incoming("2", "/custom", 12, 0, '["a"]')),
        ("312[]", Incoming("3", "/", 12, 0, "[]")),
        ('52-["a"]', Incoming("5", "/", None, 2, '["a"]')),
        ('51-/custom,7["a"]', Incoming("5", "/custom", 7, 1, '["a"]')),
    ],
)
def test_a_packet_is_taken_apart(text: str, packet: Incoming) -> None:
    assert decode("4" + text, 1, 10) == packet


@pytest.mark.parametrize(
    "text",
    [
        "", "abc", "7", "2", "2{}", '2abc["a"]', "2null", '25-["a"]', '5["a"]', '511-["a"]',
        "1{}", '4{"message":"x"}', '21234567890123456["a"]', "2/custom", "3",
    ],
)  # fmt: skip
def test_a_broken_packet_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError):
        decode("4" + text, 1, 10)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        packet = decode(text, 0, 10)
    except ProtocolError:
        return
    assert text.startswith(packet.type)
    assert text.endswith(packet.data)


@given(st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | st.text(), st.lists))
def test_an_event_packet_is_read_back(argument: Any) -> None:
    args = json.dumps(["name", argument])
    packet = decode(event_packet(args.encode()).text.decode(), 1, 10)
    assert decode_event(Event(packet.data, None, ())) == ("name", [argument])


def test_packets_bear_their_namespace_unless_it_is_the_root() -> None:
    assert event_packet(b'["a"]').text == b'42["a"]'
    assert event_packet(b'["a"]', namespace="/custom").text == b'42/custom,["a"]'
    assert ack_packet(7, b"[1]").text == b"437[1]"
    assert ack_packet(7, b"[1]", namespace="/custom").text == b"43/custom,7[1]"


def test_packets_count_their_attachments() -> None:
    assert event_packet(b'["a"]', [b"1", b"2"]).text == b'452-["a"]'
    assert ack_packet(789, b"[1]", [b"1"]).text == b"461-789[1]"


def test_connect_and_its_refusal_as_each_protocol_wants_them() -> None:
    assert connect_packet("abc", "/", 4).text == b'40{"sid":"abc"}'
    assert connect_packet("abc", "/custom", 4).text == b'40/custom,{"sid":"abc"}'
    assert connect_packet("abc", "/", 3).text == b"40"
    assert connect_packet("abc", "/custom", 3).text == b"40/custom"
    assert connect_error_packet("No", {}, "/x", 4).text == b'44/x,{"message":"No"}'
    assert (
        connect_error_packet("No", {"code": "forbidden"}, "/", 4).text
        == b'44{"message":"No","data":{"code":"forbidden"}}'
    )
    assert connect_error_packet("No", {"code": "forbidden"}, "/", 3).text == b'44"No"'


def test_auth_may_be_any_json_and_is_an_empty_object_if_there_is_none() -> None:
    assert decode_auth(decode("0", 0, 10)) == {}
    assert decode_auth(decode('0["a"]', 0, 10)) == ["a"]
    assert decode_auth(decode('0{"token":"a"}', 0, 10)) == {"token": "a"}
    with pytest.raises(ProtocolError):
        decode_auth(decode("0{", 0, 10))


def test_attachments_are_put_in_their_places() -> None:
    data = '["a",{"_placeholder":true,"num":1},{"deep":[{"_placeholder":true,"num":0}]}]'
    name, args = decode_event(Event(data, None, [b"zero", b"one"]))
    assert (name, args) == ("a", [b"one", {"deep": [b"zero"]}])


@pytest.mark.parametrize("num", ["1", "-1", '"0"', "true", "null", "0.0"])
def test_a_placeholder_without_its_attachment_is_refused(num: str) -> None:
    data = f'["a",{{"_placeholder":true,"num":{num}}}]'
    with pytest.raises(ProtocolError):
        decode_event(Event(data, None, [b"only"]))


@pytest.mark.parametrize(
    "data",
    ["[]", "[1]", "[null]", '["connect"]', '["disconnecting"]', '["a"', '["a",]', "[NaN]",
     '["a",' + "[" * 100_000 + "]" * 100_000 + "]"],
)  # fmt: skip
def test_an_event_without_a_name_or_with_broken_json_is_refused(data: str) -> None:
    with pytest.raises(ProtocolError):
        decode_event(Event(data, None, ()))


def test_nesting_beyond_reason_is_refused_with_attachments_too() -> None:
    data = '["a",' + "[" * 900 + "]" * 900 + "]"
    try:
        decode_event(Event(data, None, [b"x"]))
    except ProtocolError as error:
        assert "JSON" in str(error)  # noqa: PT017
