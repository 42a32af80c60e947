"""The short way of plain events: it says what the long way says, and leaves the rest to it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webchat.protocol.errors import ProtocolError
from webchat.protocol.socketio import EVENT, ROOT, Event, Incoming, decode, decode_root_event


@pytest.mark.parametrize(
    ("text", "event"),
    [
        ('42["a"]', Event('["a"]', None, ())),
        ('4217["a",{"b":1}]', Event('["a",{"b":1}]', 17, ())),
        ('420["a"]', Event('["a"]', 0, ())),
        ('42["a\nb\u2028[c"]', Event('["a\nb\u2028[c"]', None, ())),
        ("42[", Event("[", None, ())),
    ],
)
def test_a_plain_event_is_taken(text: str, event: Event) -> None:
    assert decode_root_event(text, 1) == event


@pytest.mark.parametrize(
    "text",
    [
        "4", "40", "42", '42{"a":1}', '42/custom,["a"]', '42/,["a"]', '451-["a"]', '421-["a"]',
        '431["a"]', '42٣["a"]', '421234567890123456["a"]', '42 ["a"]',
    ],
)  # fmt: skip
def test_anything_else_is_left(text: str) -> None:
    assert decode_root_event(text, 1) is None


@given(st.text(st.sampled_from('0123456[]{}"/,-a\n٣'), max_size=24))
def test_the_short_way_decodes_as_the_full_one_does(text: str) -> None:
    event = decode_root_event(text, 0)
    if event is not None:
        assert decode(text, 0, 10) == Incoming(EVENT, ROOT, event.ack_id, 0, event.data)
    elif (packet := _decoded(text)) is not None and packet.type == EVENT:
        assert text[1] == "/"


def _decoded(text: str) -> Incoming | None:
    try:
        return decode(text, 0, 10)
    except ProtocolError:
        return None
