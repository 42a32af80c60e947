"""WebSocket frames: held against wsproto, and against RFC 6455 where wsproto is laxer."""

from __future__ import annotations

import itertools
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given
from wsproto.frame_protocol import FrameProtocol, Opcode, ParseFailed

from webchat.protocol import websocket
from webchat.protocol.websocket import Closed, Event, Parser, Ping, Pong, Violation

KEY = b"\x12\x34\x56\x78"
LIMIT = 1_000_000


def masked(first: int, payload: bytes, key: bytes = KEY) -> bytes:
    """A frame as a client sends it."""
    size = len(payload)
    if size <= 125:
        head = bytes((first, 0x80 | size))
    elif size <= 0xFFFF:
        head = bytes((first, 0xFE)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, 0xFF)) + size.to_bytes(8, "big")
    return head + key + bytes(byte ^ key[at % 4] for at, byte in enumerate(payload))


def parse(data: bytes, limit: int = LIMIT) -> list[Event]:
    return Parser(limit).feed(data)


def parse_cut(data: bytes, cuts: list[int], limit: int = LIMIT) -> list[Event]:
    parser = Parser(limit)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    events: list[Event] = []
    for start, end in itertools.pairwise(edges):
        events += parser.feed(data[start:end])
    return events


def oracle(data: bytes) -> list[Event]:
    """What wsproto makes of the same bytes, messages joined."""
    protocol = FrameProtocol(client=False, extensions=[])
    protocol.receive_bytes(data)
    events: list[Event] = []
    parts: list[Any] = []
    try:
        for frame in protocol.received_frames():
            payload: Any = frame.payload
            if frame.opcode is Opcode.CLOSE:
                events.append(Closed(int(payload[0]), payload[1]))
            elif frame.opcode is Opcode.PING:
                events.append(Ping(bytes(payload)))
            elif frame.opcode is Opcode.PONG:
                events.append(Pong(bytes(payload)))
            else:
                parts.append(payload)
                if frame.message_finished and frame.frame_finished:
                    events.append("".join(parts) if isinstance(parts[0], str) else b"".join(parts))
                    parts = []
    except ParseFailed as failed:
        events.append(Violation(int(failed.code), ""))
    return events


def _payload(frame: Any) -> bytes:
    return bytes(frame.payload)


def without_reasons(events: list[Event]) -> list[Event]:
    return [
        Violation(event.code, "") if isinstance(event, Violation) else event for event in events
    ]


sizes = st.one_of(st.integers(0, 130), st.sampled_from([511, 512, 513, 65_535, 65_536]))
payloads = st.one_of(
    st.binary(max_size=140), st.text(max_size=60).map(str.encode), sizes.map(bytes)
)
good_firsts = st.sampled_from([0x81, 0x82, 0x01, 0x02, 0x80, 0x00, 0x89, 0x8A, 0x88])
frames = st.builds(masked, good_firsts, payloads, st.binary(min_size=4, max_size=4))
odd_frames = st.builds(masked, st.integers(0, 255), payloads)
streams = st.lists(st.one_of(frames, frames, frames, odd_frames), max_size=6).map(b"".join)


@given(streams, st.lists(st.integers(0, 2_000), max_size=5))
def test_the_same_bytes_cut_anywhere_give_the_same_events(data: bytes, cuts: list[int]) -> None:
    assert parse_cut(data, cuts) == parse(data)


@given(streams)
def test_events_and_violations_are_those_of_wsproto(data: bytes) -> None:
    # A message left open is finished, so that both have looked at all of it.
    finished = data + masked(0x80, b"")
    assert without_reasons(parse(finished)) == oracle(finished)


@given(st.binary(max_size=300))
def test_no_bytes_raise(data: bytes) -> None:
    parser = Parser(LIMIT)
    for at in range(len(data)):
        parser.feed(data[at : at + 1])


@given(st.binary(max_size=1_500), st.binary(min_size=4, max_size=4))
def test_unmasking_is_xor_with_the_repeated_key(payload: bytes, key: bytes) -> None:
    assert websocket.unmask(payload, key) == bytes(
        byte ^ key[at % 4] for at, byte in enumerate(payload)
    )


def test_fragments_are_joined_around_a_ping() -> None:
    data = masked(0x01, b"he") + masked(0x89, b"!") + masked(0x00, b"l") + masked(0x80, b"lo")
    assert parse(data) == [Ping(b"!"), "hello"]


def test_a_character_may_be_cut_between_fragments() -> None:
    text = "한".encode()
    assert parse(masked(0x01, text[:1]) + masked(0x80, text[1:])) == ["한"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x81\x01a", 1002),
        (masked(0xC1, b"a"), 1002),
        (masked(0x83, b"a"), 1002),
        (masked(0x8B, b""), 1002),
        (masked(0x09, b""), 1002),
        (b"\x89\xfe\x00\x7e" + KEY, 1002),
        (masked(0x80, b"a"), 1002),
        (masked(0x01, b"a") + masked(0x81, b"b"), 1002),
        (b"\x81\xfe\x00\x05" + KEY + b"aaaaa", 1002),
        (b"\x81\xff\x80\x00\x00\x00\x00\x00\x00\x00", 1002),
        (masked(0x81, b"\xff"), 1007),
        (masked(0x81, b"\xed\xa0\x80"), 1007),
        (masked(0x01, b"\xe2\x82") + masked(0x80, b"a"), 1007),
        (masked(0x88, b"\x03"), 1002),
        (masked(0x88, (1005).to_bytes(2, "big")), 1002),
        (masked(0x88, (1006).to_bytes(2, "big")), 1002),
        (masked(0x88, (999).to_bytes(2, "big")), 1002),
        (masked(0x88, (2999).to_bytes(2, "big")), 1002),
        (masked(0x88, (5000).to_bytes(2, "big")), 1002),
        (masked(0x88, (1000).to_bytes(2, "big") + b"\xff"), 1007),
    ],
)
def test_a_breach_is_refused_with_its_close_code(data: bytes, code: int) -> None:
    (violation,) = parse(masked(0x81, b"before") + data + masked(0x81, b"after"))[1:]
    assert isinstance(violation, Violation)
    assert violation.code == code


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1007, 1012, 1014, 3000, 4999])
def test_close_codes_of_the_registry_and_of_applications_are_taken(code: int) -> None:
    assert parse(masked(0x88, code.to_bytes(2, "big") + b"bye")) == [Closed(code, "bye")]


def test_a_close_without_a_code_is_no_status() -> None:
    assert parse(masked(0x88, b"")) == [Closed(1005, "")]


def test_a_message_may_be_as_big_as_the_limit_and_no_bigger() -> None:
    assert parse(masked(0x82, bytes(10)), limit=10) == [bytes(10)]
    assert parse(masked(0x82, bytes(11)), limit=10) == [Violation(1009, "message too big")]


def test_a_message_that_is_too_big_is_refused_before_its_payload_comes() -> None:
    head = b"\x82\xff" + (1 << 40).to_bytes(8, "big")
    assert parse(head) == [Violation(1009, "message too big")]


def test_fragments_count_together() -> None:
    data = masked(0x02, bytes(6)) + masked(0x00, bytes(4)) + masked(0x80, bytes(1))
    assert parse(data, limit=10) == [Violation(1009, "message too big")]
    assert parse(masked(0x02, bytes(6)) + masked(0x80, bytes(4)), limit=10) == [bytes(10)]


def test_nothing_counts_after_a_close() -> None:
    parser = Parser(LIMIT)
    assert parser.feed(masked(0x88, b"") + masked(0x81, b"late")) == [Closed(1005, "")]
    assert parser.feed(masked(0x81, b"later")) == []


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_a_server_frame_is_read_by_wsproto(size: int) -> None:
    client = FrameProtocol(client=True, extensions=[])
    client.receive_bytes(websocket.frame(websocket.BINARY, bytes(size)))
    received = b"".join(_payload(frame) for frame in client.received_frames())
    assert received == bytes(size)


def test_a_close_reason_is_cut_between_characters() -> None:
    frame = websocket.close_frame(1000, "한" * 60)
    assert len(frame) <= 2 + 125
    assert frame[4:].decode() == "한" * 41
