"""What a connection sends behind something that is being looked up: bounded, and in order."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.chat.world import Person, World, settle
from webchat.chat import handlers
from webchat.chat.assembly import Settings
from webchat.chat.gate import Gate, Gates
from webchat.chat.handlers import ChatSettings
from webchat.errors import Closing
from webchat.protocol.socketio import Event


async def _waiting(settings: ChatSettings) -> Person:
    """Somebody whose `join` is being looked up."""
    world = World(Settings(chat=settings))
    await world.register("anne")
    person = await world.person("anne")
    person.say("join", {"device": "d", "cursors": {}})
    assert person.socket.acks == {}
    return person


async def test_many_events_that_wait_close_the_connection() -> None:
    person = await _waiting(ChatSettings(gated_events=3))
    for _ in range(3):
        person.say("chat", {})
    assert person.socket.why is None
    person.say("chat", {})
    assert person.socket.why is Closing.SLOW_CONSUMER


async def test_large_events_that_wait_close_the_connection() -> None:
    person = await _waiting(ChatSettings(gated_bytes=100_000))
    for _ in range(3):
        person.say("chat", {"Body": "x" * 30_000})
    assert person.socket.why is None
    person.say("chat", {"Body": "x" * 30_000})
    assert person.socket.why is Closing.SLOW_CONSUMER


async def test_much_that_waits_for_many_connections_of_a_user_closes_one() -> None:
    person = await _waiting(ChatSettings(gated_bytes=100_000))
    await person.world.register("bob")
    uids = [*["anne"] * 10, "anne", "bob"]
    *others, late, bob = [await person.world.person(uid) for uid in uids]
    for one in (*others, late, bob):
        one.say("join", {"device": "d", "cursors": {}})
    for one in (*others, bob):
        one.say("chat", {"Body": "x" * 95_000})
    person.say("chat", {"Body": "x" * 95_000})
    assert person.socket.why is Closing.SLOW_CONSUMER
    others.pop().leave()
    late.say("chat", {"Body": "x" * 95_000})
    await settle()
    assert all(len(one.socket.acks) == 2 for one in (*others, late, bob))


async def test_what_has_waited_makes_room_for_more() -> None:
    person = await _waiting(ChatSettings(gated_bytes=100_000))
    for _ in range(5):
        for _ in range(3):
            person.say("chat", {"Body": "x" * 30_000})
        await settle()
        person.say("join", {"device": "d", "cursors": {}})
    assert person.socket.why is None


async def test_an_event_too_long_to_be_looked_into_is_refused_by_its_key() -> None:
    person = await _waiting(ChatSettings())
    await settle()
    long = person.message("bob", "x" * 300_000, MsgID="a 1")
    for said, msg_id in ((long, "a 1"), (json.dumps(long), "")):
        answer = await person.ask("chat", said)
        assert (answer["error"]["code"], answer["MsgID"]) == ("too_large", msg_id)
    assert person.socket.why is None


async def test_what_has_waited_goes_with_its_connection() -> None:
    person = await _waiting(ChatSettings())
    person.say("chat", {"Body": "x" * 30_000})
    gate = person.socket.state.gate
    person.leave()
    assert not gate


async def test_others_have_their_turns_while_much_that_waited_is_answered() -> None:
    person = await _waiting(ChatSettings())
    for _ in range(1_000):
        person.say("chat", {"EvtType": "display", "From": "anne", "To": "bob", "Seq": 1})
    last = person.say("chat", {})
    turns = 0
    while last not in person.socket.acks:
        await asyncio.sleep(0)
        turns += 1
    assert turns > 20


async def test_a_fault_of_our_own_is_answered_and_what_waits_behind_it_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    person = await _waiting(ChatSettings())
    await person.world.register("bob")

    def fail(*_: object, **__: object) -> None:
        monkeypatch.undo()
        raise KeyError("a defect")

    monkeypatch.setattr(handlers, "check_message", fail)
    failed = person.say("chat", person.message("bob", "one"))
    sent = person.say("chat", person.message("bob", "two"))
    await settle()
    assert person.socket.acks[failed]["error"]["code"] == "internal"
    assert person.socket.acks[sent]["ok"]


@pytest.mark.parametrize("char", ["한", "😀"])
def test_a_text_counts_for_the_memory_it_takes(char: str) -> None:
    gate = Gate(Gates(10, 10_000, by_user=True), "anne")
    assert gate.put(Event("x" * 2_000 + char, None, ()))
    assert gate.put(Event("x" * 500, None, (b"x" * 600,)))
    assert not gate.put(Event("x" * 2_000 + char, None, (b"x" * 3_000,)))
    assert gate.put(Event("x", None, ()))
    assert len(gate) == 3
