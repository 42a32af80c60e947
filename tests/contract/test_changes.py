"""The contract of `Change`: what an edit, a delete and a reaction do to an earlier entry."""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contract.asking import changing, create, delete, edit, message, react, send
from webchat.errors import MembersChanged
from webchat.model import Draft, Entry
from webchat.ports.log import Append, Change, changed
from webchat.ports.store import Store

SAID = (
    b'{"EvtType":"message","From":"ann","Originated":"","To":"bob","MsgID":"1","Timestamp":7,'
    b'"Body":"hello","Refers":1,"Mentions":["bob"],"Weight":1.50}'
)
GROUP = "group_x"


@pytest.fixture
async def group(store: Store) -> str:
    """`create`, then a message with optional fields at Seq 2, and a plain one at Seq 3."""
    await send(store, create(GROUP, "ann", "bob", "cid"))
    await send(store, Append(GROUP, (Draft("message", "ann", "1", SAID), message("bob", "2"))))
    return GROUP


async def at(store: Store, conv: str, seq: int) -> Entry:
    (entry,) = await store.log.read(conv, seq - 1, 1)
    return entry


async def fields(store: Store, conv: str, seq: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((await at(store, conv, seq)).envelope)
    return found


async def test_an_edit_changes_the_body_and_says_where(store: Store, group: str) -> None:
    before = await at(store, group, 2)
    outcome = await send(store, edit(group, "ann", 2, 'héllo "✓"'))
    assert outcome.entries[0].seq == 4
    after = await at(store, group, 2)
    assert json.loads(after.envelope) == {
        **json.loads(before.envelope), "Body": 'héllo "✓"', "Edited": 4
    }  # fmt: skip
    assert (after.seq, after.n, after.at) == (before.seq, before.n, before.at)
    assert (after.kind, after.sender, after.msg_id) == (before.kind, before.sender, before.msg_id)


async def test_a_later_edit_takes_the_place_of_an_earlier_one(store: Store, group: str) -> None:
    await send(store, edit(group, "ann", 2, "second"))
    await send(store, edit(group, "ann", 2, "third"))
    said = await fields(store, group, 2)
    assert (said["Body"], said["Edited"]) == ("third", 5)


async def test_a_deleted_entry_stays_in_its_place_and_says_nothing(
    store: Store, group: str
) -> None:
    await send(store, edit(group, "ann", 2, "second"))
    place = await at(store, group, 2)
    await send(store, delete(group, "ann", 2))
    after = await at(store, group, 2)
    assert list(json.loads(after.envelope).items()) == [
        ("EvtType", "message"), ("From", "ann"), ("Originated", ""), ("To", "bob"),
        ("MsgID", "1"), ("Timestamp", 7), ("Body", ""), ("Refers", 1), ("Deleted", 5),
        ("ConvID", group), ("Seq", 2), ("N", place.n), ("StoredAt", place.at),
    ]  # fmt: skip
    assert [entry.n for entry in await store.log.read(group, 0, 9)] == [0, 1, 2, 2, 2]


async def test_an_edit_after_a_delete_changes_nothing(store: Store, group: str) -> None:
    await send(store, delete(group, "ann", 2))
    deleted = await at(store, group, 2)
    await send(store, edit(group, "ann", 2, "back"))
    assert await at(store, group, 2) == deleted


@pytest.mark.parametrize("kinds", [("edit", "delete"), ("delete", "edit"), ("delete", "react")])
async def test_of_changes_decided_on_at_once_the_second_is_decided_on_again(
    store: Store, group: str, kinds: tuple[Any, Any]
) -> None:
    first, second = [Change(kind, 2, "ann", f"a {kind}", as_of=0) for kind in kinds]
    outcomes = [send(store, changing(group, "ann", each)) for each in (first, second)]
    assert (await outcomes[0]).entries[0].seq == 4
    with pytest.raises(MembersChanged):
        await outcomes[1]
    with pytest.raises(MembersChanged):
        await send(store, changing(group, "bob", second))
    assert len(await store.log.read(group, 0, 9)) == 4
    again = msgspec.structs.replace(second, as_of=4)
    assert (await send(store, changing(group, "ann", again))).entries[0].seq == 5


async def test_a_change_of_an_entry_of_long_ago_is_refused_if_it_was_changed_since(
    store: Store, group: str
) -> None:
    for number in range(12):
        await send(store, Append(group, (message("bob", f"m{number}", "x" * 60),)))
    change = Change("edit", 2, "ann", "second", as_of=0)
    outcome = await send(store, changing(group, "ann", change, "e"))
    with pytest.raises(MembersChanged):
        await send(store, changing(group, "ann", Change("delete", 2, "ann", as_of=0)))
    again = await send(store, changing(group, "ann", change, "e"))
    assert (again.entries, again.fresh) == (outcome.entries, False)
    as_of = outcome.entries[0].seq
    await send(store, changing(group, "bob", Change("react", 2, "bob", "👍", as_of=as_of)))
    await send(store, changing(group, "ann", Change("delete", 2, "ann", as_of=as_of)))
    assert (await fields(store, group, 2))["Body"] == ""


async def test_a_change_is_not_refused_for_those_of_other_entries(store: Store, group: str) -> None:
    await send(store, edit(group, "bob", 3, "second"))
    await send(store, react(group, "bob", 2, "👍"))
    change = Change("edit", 2, "ann", "second", as_of=0)
    assert (await send(store, changing(group, "ann", change))).entries[0].seq == 6


async def test_all_reads_show_the_entry_as_changed(store: Store, group: str) -> None:
    await send(store, edit(group, "ann", 2, "second"))
    entry = await at(store, group, 2)
    assert b'"Body":"second"' in entry.envelope
    assert (await store.log.read_before(group, 3, 1)) == [entry]
    assert await store.log.find(group, "ann", "1") == entry
    again = await send(store, Append(group, (Draft("message", "ann", "1", SAID),)))
    assert (again.entries, again.fresh) == ((entry,), False)


async def test_other_entries_and_other_logs_stay_as_they_are(store: Store, group: str) -> None:
    await send(store, create("group_y", "ann"))
    await send(store, Append("group_y", (message("ann", "1"),)))
    untouched = [await at(store, group, 3), await at(store, "group_y", 2)]
    await send(store, edit(group, "ann", 2, "second"))
    assert [await at(store, group, 3), await at(store, "group_y", 2)] == untouched


async def test_an_edit_met_again_is_made_once(store: Store, group: str) -> None:
    await send(store, edit(group, "ann", 2, "second", msg_id="e"))
    await send(store, edit(group, "ann", 2, "third"))
    again = await send(store, edit(group, "ann", 2, "second", msg_id="e"))
    assert (again.entries[0].seq, again.fresh) == (4, False)
    assert (await fields(store, group, 2))["Body"] == "third"


@pytest.mark.parametrize("refers", [-1, 0, 4, 9, 2**60])
async def test_what_is_no_earlier_entry_cannot_be_changed(
    store: Store, group: str, refers: int
) -> None:
    before = await store.log.read(group, 0, 9)
    change = Change("react", refers, "ann", "👍")
    outcome = await send(store, react(group, "ann", refers, "👍"))
    assert outcome.entries[0].seq == 4
    assert await store.log.read(group, 0, 3) == before
    assert await store.log.reactions(group, [change.refers], 99) == {}


async def test_reactions_are_one_per_member_and_the_newest_counts(store: Store, group: str) -> None:
    await send(store, react(group, "bob", 2, "👍"))
    await send(store, react(group, "cid", 2, "🎉"))
    await send(store, react(group, "bob", 2, "❤️"))
    await send(store, react(group, "ann", 3, "👍"))
    assert await store.log.reactions(group, [1, 2, 3, 99], 99) == {
        2: {"bob": "❤️", "cid": "🎉"},
        3: {"ann": "👍"},
    }


async def test_a_reaction_is_taken_back(store: Store, group: str) -> None:
    await send(store, react(group, "bob", 2, "👍"))
    await send(store, react(group, "cid", 2, "👍"))
    await send(store, react(group, "bob", 2, ""))
    assert await store.log.reactions(group, [2], 99) == {2: {"cid": "👍"}}
    await send(store, react(group, "cid", 2, ""))
    assert await store.log.reactions(group, [2], 99) == {}


@pytest.mark.parametrize("body", ["\0", "a\0b", '"\\', "\U0001f468\u200d\U0001f469"])
async def test_a_reaction_is_kept_whatever_it_is_made_of(
    store: Store, group: str, body: str
) -> None:
    await send(store, react(group, "bob", 2, "👍"))
    await send(store, react(group, "bob", 2, body))
    await send(store, react(group, "cid", 3, body))
    assert await store.log.reactions(group, [2, 3], 99) == {2: {"bob": body}, 3: {"cid": body}}


async def test_taking_back_what_was_never_there_does_nothing(store: Store, group: str) -> None:
    await send(store, react(group, "bob", 2, ""))
    assert await store.log.reactions(group, [2], 99) == {}


async def test_of_many_reactions_those_are_read_that_are_asked_for(
    store: Store, group: str
) -> None:
    for uid in ("Ben", "bob", "cid", "ann"):
        await send(store, react(group, uid, 2, f"of {uid}"))
        await send(store, react(group, uid, 3, "👍"))
    read = store.log.reactions
    assert await read(group, [3, 2], 2) == {
        2: {"Ben": "of Ben", "ann": "of ann"},
        3: {"Ben": "👍", "ann": "👍"},
    }
    assert await read(group, [2], 1, since="bob") == {2: {"bob": "of bob"}}
    assert await read(group, [2, 3], 9, since="bobby") == {2: {"cid": "of cid"}, 3: {"cid": "👍"}}
    assert await read(group, [2], 9, since="dan") == await read(group, [], 9) == {}


async def test_a_reaction_leaves_the_entry_as_it_is(store: Store, group: str) -> None:
    before = await at(store, group, 2)
    await send(store, react(group, "bob", 2, "👍"))
    assert await at(store, group, 2) == before


async def test_reactions_belong_to_their_log(store: Store, group: str) -> None:
    await send(store, react(group, "bob", 2, "👍"))
    await send(store, create("group_y", "bob"))
    await send(store, Append("group_y", (message("bob", "1"),)))
    assert await store.log.reactions("group_y", [2], 99) == {}
    assert await store.log.reactions("group_none", [2], 99) == {}


def test_what_a_client_said_is_kept_byte_by_byte() -> None:
    after = changed(SAID, Change("edit", 2, "ann", "new"), 4)
    assert after == SAID.replace(b"hello", b"new")[:-1] + b',"Edited":4}'


def test_a_reaction_is_no_change_of_the_envelope() -> None:
    assert changed(SAID, Change("react", 2, "bob", "👍"), 4) == SAID


CHANGES = st.lists(st.sampled_from(["edit", "delete", "react"]), min_size=1, max_size=4)


@given(CHANGES)
def test_changes_come_to_the_same_in_any_order(kinds: list[Any]) -> None:
    made = [(Change(kind, 2, "ann", f"by {seq}"), seq) for seq, kind in enumerate(kinds, 4)]
    outcomes = set()
    for order in permutations(made):
        envelope = SAID
        for change, by in order + order:
            envelope = changed(envelope, change, by)
        outcomes.add(envelope)
    assert len(outcomes) == 1
    said = json.loads(outcomes.pop())
    deletes = [seq for change, seq in made if change.kind == "delete"]
    edits = [seq for change, seq in made if change.kind == "edit"]
    if deletes:
        assert (said["Body"], said["Deleted"], "Edited" in said) == ("", max(deletes), False)
    elif edits:
        assert (said["Body"], said["Edited"]) == (f"by {max(edits)}", max(edits))
    else:
        assert json.loads(SAID) == said
