"""How many calls each act on a hot path makes: bounds that a change has to raise on purpose.

A count is the same on every machine and under any load, which a time is not. Counted are calls in
the product's own code, of Python and of C functions alike, from the frame that comes in to the
frames that go out; not the store's. A bound is what the act costs now: lower it with the cost.
"""

from __future__ import annotations

import pytest

from tests.costs.world import Calls, Node, Person, client_frame, counted, event, message
from tests.memory import settle
from webchat.model import pair_conv

_SLACK = 0.85


@pytest.fixture
async def node() -> Node:
    return Node()


async def test_a_message_to_a_pair(node: Node) -> None:
    anne, ben = await _pair(node)
    with counted() as calls:
        anne.asks(2, "chat", message("anne", "ben", "m2"))
        await settle()
    assert _last(anne).startswith('32[{"ok":true,"MsgID":"m2"')
    assert _last(ben).startswith('2["chat",{"EvtType":"message"')
    _within(calls, python=53, total=91)


async def test_each_of_eight_messages_in_one_read(node: Node) -> None:
    anne, ben = await _pair(node)
    frames = [
        client_frame(event(2 + at, "chat", message("anne", "ben", f"n{at}"))) for at in range(8)
    ]
    with counted() as calls:
        anne.socket.data_received(b"".join(frames))
        await settle()
    assert len(anne.wire.written) == len(ben.wire.written) == 1
    _within(calls, python=8 * 39, total=8 * 69)


async def test_a_copy_of_a_message_to_a_group(node: Node) -> None:
    few, many = 20, 120
    people = [await node.person(f"person{at}") for at in range(many)]
    small = await _message_to_group(people[:few], "group_small")
    large = await _message_to_group(people, "group_large")
    copies = many - few
    assert all(len(person.wire.written) == 1 for person in people)
    _within(_difference(large, small), python=6 * copies, total=11 * copies)


async def test_a_receipt_that_joins_others(node: Node) -> None:
    anne, ben = await _pair(node)
    for at in range(10):
        anne.asks(2 + at, "chat", message("anne", "ben", f"m{at}"))
    await settle()
    ben.asks(1, "chat", _display(1))
    with counted() as calls:
        ben.asks(2, "chat", _display(2))
    _within(calls, python=14, total=32)


async def test_a_receipt_and_what_its_author_hears(node: Node) -> None:
    anne, ben = await _pair(node)
    with counted() as calls:
        ben.asks(1, "chat", _display(1))
        await node.pass_time(0.25)
    assert _last(anne).startswith('2["chat",{"EvtType":"display"')
    _within(calls, python=98, total=165)


async def test_a_receipt_of_each_of_many_readers(node: Node) -> None:
    people = [await node.person(f"person{at}") for at in range(120)]
    await _message_to_group(people, "group_large")
    for person in people:
        person.wire.written.clear()
    with counted() as calls:
        for reader in people[1:]:
            reader.asks(4, "chat", _display_of("group_large", reader.uid, 3))
        await node.pass_time(0.25)
    assert all(len(person.wire.written) == 1 for person in people[1:])
    _within(calls, python=119 * 28, total=119 * 54)


async def test_each_of_eight_receipts_in_one_read(node: Node) -> None:
    anne, ben = await _pair(node)
    for at in range(8):
        anne.asks(2 + at, "chat", message("anne", "ben", f"m{at}"))
    await settle()
    ben.wire.written.clear()
    frames = [client_frame(event(2 + at, "chat", _display(1 + at))) for at in range(8)]
    with counted() as calls:
        ben.socket.data_received(b"".join(frames))
        await node.pass_time(0.25)
    assert len(ben.wire.written) == 1
    _within(calls, python=8 * 20, total=8 * 44)


async def test_the_ping_of_an_idle_connection(node: Node) -> None:
    person = await node.person("anne")
    await node.pass_time(20.0)  # what watches over its CONNECT is over, too
    with counted() as calls:
        await node.pass_time(5.0)
        person.says("3")
        await settle()
    assert person.wire.written == [b"\x81\x012"]
    _within(calls, python=23, total=41)


async def test_a_device_that_comes_back_and_each_of_its_conversations(node: Node) -> None:
    few, many = await _coming_back(node, "anne", 10), await _coming_back(node, "ben", 30)
    _within(few, python=177, total=342)
    _within(_difference(many, few), python=0, total=20 * 4)


async def test_each_message_that_a_device_has_missed(node: Node) -> None:
    few = await _coming_back(node, "anne", 10, seen=False)
    many = await _coming_back(node, "ben", 30, seen=False)
    _within(_difference(many, few), python=20 * 24, total=20 * 45)


def _within(calls: Calls, *, python: int, total: int) -> None:
    """At most so many; and not so far below that the bound has lost its meaning."""
    assert _SLACK * python <= calls.python.total() <= python, calls.python.most_common()
    assert _SLACK * total <= calls.total <= total, calls.c.most_common()


def _difference(more: Calls, fewer: Calls) -> Calls:
    calls = Calls()
    calls.python, calls.c = more.python - fewer.python, more.c - fewer.c
    return calls


def _last(person: Person) -> str:
    return person.wire.written[-1].split(b"4", 1)[1].decode(errors="replace")


async def _pair(node: Node) -> tuple[Person, Person]:
    """Two people who have a conversation."""
    anne, ben = await node.person("anne"), await node.person("ben")
    anne.asks(1, "chat", message("anne", "ben", "m1"))
    await settle()
    for person in (anne, ben):
        person.wire.written.clear()
    return anne, ben


async def _message_to_group(people: list[Person], group: str) -> Calls:
    sender, uids = people[0], [person.uid for person in people[1:]]
    create = message(sender.uid, group, f"create {group}", body=str(uids).replace("'", '"'))
    sender.asks(1, "chat", create | {"EvtType": "create"})
    await settle()
    sender.asks(2, "chat", message(sender.uid, group, f"first {group}"))
    await settle()
    for person in people:
        person.wire.written.clear()
    with counted() as calls:
        sender.asks(3, "chat", message(sender.uid, group, f"second {group}"))
        await settle()
    return calls


async def _coming_back(node: Node, uid: str, conversations: int, seen: bool = True) -> Calls:
    """Somebody connects, and joins with all that was said in conversations with as many friends,
    who are away, or with none of it."""
    cursors = {f"user:{uid}": conversations}
    for number in range(conversations):
        friend = await node.person(f"friend{number}")
        friend.asks(1, "chat", message(friend.uid, uid, "m"))
        await settle()
        cursors[pair_conv(friend.uid, uid)] = int(seen)
        friend.socket.connection_lost(None)
        await settle()
    with counted() as calls:
        person = Person(node, uid)
        person.says("40")
        await settle()
        person.asks(0, "join", {"uid": uid, "device": "d", "cursors": cursors})
        await settle()
    assert b'30[{"ok":true' in b"".join(person.wire.written)
    assert ('"Seq":1,' in _last(person)) is not seen
    return calls


def _display_of(group: str, uid: str, seq: int) -> dict[str, object]:
    return {
        "EvtType": "display", "From": group, "Originated": uid, "To": group, "MsgID": "",
        "Timestamp": 1_700_000_000, "Body": "", "ConvID": group, "Seq": seq,
    }  # fmt: skip


def _display(seq: int) -> dict[str, object]:
    return {
        "EvtType": "display", "From": "ben", "Originated": "", "To": "anne", "MsgID": "",
        "Timestamp": 1_700_000_000, "Body": "", "ConvID": "dm:anne:ben", "Seq": seq,
    }  # fmt: skip
