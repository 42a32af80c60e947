"""Items of a DynamoDB store that one act, or many in one log, make long."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from random import Random

import pytest

from tests.contract.asking import create, delete, depart, edit, message, refer, send
from tests.contract.dynamodb_nodes import FaultyTable, Node, cluster_of
from tests.contract.plain_table import PlainTable
from tests.engines.dynamodb import shared_server
from tests.memory import ManualClock
from webchat.adapters.dynamodb import DynamoSettings, keys
from webchat.adapters.dynamodb.head import as_bytes, item_size
from webchat.adapters.dynamodb.rows import MOST_SPANS, MemberRow
from webchat.adapters.dynamodb.steady import key_of
from webchat.adapters.dynamodb.table import ANY, Failed, Item
from webchat.errors import WebchatError
from webchat.model import Entry
from webchat.ports.log import Append, Change, Follow
from webchat.ports.transfer import EntryRecord

GROUP = "group_x"
ENTRIES = 12
ENGINES_MOST_BYTES = 400 * 1024


def long_text(seed: object, size: int) -> str:
    """A text that hardly becomes shorter by being packed."""
    return b64encode(Random(str(seed)).randbytes(size)).decode()[:size]


def bodies(entries: list[Entry]) -> dict[int, str]:
    return {entry.seq: json.loads(entry.envelope)["Body"] for entry in entries}


def node_of_a_strict_engine() -> Node:
    """A node on a table that takes no item the engine would not take."""

    async def refuse_too_large(item: Item) -> None:
        if item_size(item) > ENGINES_MOST_BYTES:
            raise Failed("Item size has exceeded the maximum allowed size", may_help=False)

    node = Node(FaultyTable(PlainTable()), DynamoSettings("nowhere", "none"), ManualClock())
    node.faulty.before_put = refuse_too_large
    return node


async def talk(node: Node) -> None:
    """A group with short messages at Seq 2 and on that were rolled out together."""
    await send(node, create(GROUP, "ann", "bob"))
    said = [Append(GROUP, (message("ann", f"m{number}", "hi"),)) for number in range(ENTRIES)]
    await asyncio.gather(*[send(node, request) for request in said])
    for number in range(2):
        await send(node, Append(GROUP, (message("bob", f"long{number}", "x" * 3_000),)))


async def test_edits_to_long_texts_never_make_an_item_too_large_for_the_engine() -> None:
    async with cluster_of(shared_server()) as cluster:
        node, other = await cluster.node(), await cluster.node()
        await talk(node)
        texts = {seq: long_text(seq, 100_000) for seq in range(2, 10)}
        for seq, text in texts.items():
            await send(node, edit(GROUP, "ann", seq, text, f"e{seq}"))
        assert bodies(await other.log.read(GROUP, 1, len(texts))) == texts
        await send(other, refer(GROUP, "ann", "cid"))
        assert await other.members.count(GROUP) == 3


async def test_many_who_come_in_by_many_entries_at_once_are_never_too_much_for_one_item() -> None:
    node = Node(FaultyTable(PlainTable()), DynamoSettings("nowhere", "none"), ManualClock())
    await send(node, create(GROUP, "ann"))
    uids = [f"somebody-{number:04}@example.org" for number in range(30 * 170)]
    asked = [refer(GROUP, "ann", *uids[at : at + 170]) for at in range(0, len(uids), 170)]
    asked.append(Append(GROUP, (message("ann", "1"),)))
    done = await asyncio.gather(*[send(node, request) for request in asked])
    assert [appended.entries[0].seq for appended in done] == list(range(2, 33))
    assert await node.members.count(GROUP) == 1 + len(uids)


async def test_what_lies_apart_from_its_batch_is_read_edited_and_deleted_like_the_rest() -> None:
    table = PlainTable()
    settings = DynamoSettings("nowhere", "none", head_bytes=8_000)
    node, other = (Node(FaultyTable(table), settings, ManualClock()) for _ in range(2))
    await talk(node)
    said = bodies(await node.log.read(GROUP, 0, 100))
    for time in range(3):
        for seq in range(2, 2 + ENTRIES):
            said[seq] = long_text((time, seq), 1_500)
            request = edit(GROUP, "ann", seq, said[seq], f"e{time}-{seq}")
            done = await send((node, other)[seq % 2], request)
            said[done.entries[0].seq] = said[seq]
    await send(node, delete(GROUP, "ann", 5))
    said |= {5: "", max(said) + 1: ""}

    items = (await table.scan(10_000)).items
    batches = [item for item in items if str(item["sk"]).startswith(keys.BATCH)]
    assert max(len(as_bytes(item["entries"])) for item in batches) <= settings.head_bytes
    apart = [item for item in items if str(item["sk"]).startswith(keys.APART)]
    assert 0 < len(apart) < ENTRIES
    assert not any(long_text((2, 5), 1_500).encode() in as_bytes(i["envelope"]) for i in apart)
    reader = Node(FaultyTable(table), settings, ManualClock())
    assert bodies(await reader.log.read(GROUP, 0, 100)) == said
    assert bodies(await reader.log.read_before(GROUP, None, 100)) == said
    assert bodies((await reader.log.read_each({GROUP: 3}, 2))[GROUP]) == {4: said[4], 5: ""}
    found = await reader.log.find(GROUP, "ann", "m0")
    assert found is not None
    assert bodies([found]) == {2: said[2]}
    told = [each async for each in reader.transfer.records() if isinstance(each, EntryRecord)]
    assert bodies([each.entry for each in told if each.entry.conv == GROUP]) == said


async def test_a_read_between_an_edit_and_the_next_one_finds_what_lies_elsewhere_by_now() -> None:
    table = PlainTable()
    settings = DynamoSettings("nowhere", "none", head_bytes=8_000)
    node, reader = (Node(FaultyTable(table), settings, ManualClock()) for _ in range(2))
    await talk(node)
    for seq in range(2, 9):
        await send(node, edit(GROUP, "ann", seq, long_text(seq, 1_500), f"e{seq}"))
    get_many = reader.faulty.get_many
    edits = iter(range(3))

    async def edit_first(wanted: object) -> object:
        for time in edits:
            await send(node, edit(GROUP, "ann", 8, long_text(time, 1_500), f"again-{time}"))
            break
        return await get_many(wanted)  # type: ignore[arg-type]

    reader.faulty.get_many = edit_first  # type: ignore[assignment, method-assign]
    assert bodies(await reader.log.read(GROUP, 7, 1)) == {8: long_text(2, 1_500)}


async def test_who_came_and_went_more_often_than_an_item_can_say_is_known_for_the_newest() -> None:
    node = node_of_a_strict_engine()
    await send(node, create(GROUP, "ann"))
    times = [(2_000_000_000 + at, 2_000_000_001 + at, "") for at in range(0, 80_000, 2)]
    row = {**MemberRow(tuple(times)).item(), **keys.member(GROUP, "bob")._asdict(), "ver": 1}
    await node.faulty.table.put(row, ANY)
    came = (await send(node, refer(GROUP, "ann", "bob"))).entries[0].seq
    assert await node.members.count(GROUP) == 2
    went = (await send(node, depart(GROUP, "bob", came))).entries[0].seq
    assert await node.members.count(GROUP) == 1
    told = [(span.since, span.until) for span in await node.members.spans(GROUP, "bob")]
    assert told == [*[(since, until) for since, until, _ in times[1 - MOST_SPANS :]], (came, went)]


async def test_a_message_is_deleted_however_often_it_was_edited() -> None:
    node = node_of_a_strict_engine()
    ann = "a" * 64
    await send(node, create(GROUP, ann))
    for number in range(100):
        said = [Append(GROUP, (message(ann, f"{number}-{at}"),)) for at in range(40)]
        await asyncio.gather(*[send(node, request) for request in said])
    edits = range(3, 4_002)
    changes = (Change("delete", 2, ann), *(Change("delete", seq, ann) for seq in edits))
    draft = delete(GROUP, ann, 2).drafts
    await send(node, Append(GROUP, draft, follow=Follow(changes=changes)))
    assert set(bodies(await node.log.read(GROUP, 1, 5_000)).values()) == {""}
    await node.close()
    items = (await node.faulty.table.scan(10_000)).items
    assert not any(str(item["sk"]).startswith(keys.FOLLOW) for item in items)


async def test_a_group_is_made_of_many_short_messages_that_were_held_for_it() -> None:
    node = node_of_a_strict_engine()
    made = create(GROUP, "ann", msg_id="c")
    held = [message(f"somebody-{at % 30:055}", f"{at:036}", "x" * 110) for at in range(2_100)]
    appended = await send(node, Append(GROUP, (*made.drafts, *held), follow=made.follow))
    assert len(appended.entries) == 1 + len(held)
    await send(node, Append(GROUP, (message("ann", "1"),)))
    assert len(await node.log.read(GROUP, 0, 5_000)) == 2 + len(held)


async def test_what_is_too_much_for_a_head_is_done_however_late_somebody_comes_to_it() -> None:
    node = node_of_a_strict_engine()
    table = node.faulty.table
    uids = [f"somebody-{number:04}@example.org" for number in range(500)]

    async def die_after_the_entry(item: Item) -> None:
        if str(item["sk"]).startswith(keys.MEMBER):
            node.faulty.is_gone.set()

    node.faulty.before_put = die_after_the_entry
    with pytest.raises(WebchatError):
        await send(node, create(GROUP, *uids))
    for item in (await table.scan(10_000)).items:
        if "expires" in item:
            await table.delete(key_of(item), ANY)
    other = Node(FaultyTable(table), DynamoSettings("nowhere", "none"), ManualClock())
    assert await other.members.count(GROUP) == len(uids)


async def test_what_was_too_much_for_a_head_that_another_node_wrote_first_is_not_left() -> None:
    node = node_of_a_strict_engine()
    other = Node(FaultyTable(node.faulty.table), DynamoSettings("nowhere", "none"), ManualClock())
    await send(node, create(GROUP, "ann"))

    async def be_second(item: Item) -> None:
        if item["sk"] == keys.HEAD:
            node.faulty.before_put = None
            await send(other, Append(GROUP, (message("ann", "1"),)))

    node.faulty.before_put = be_second
    uids = [f"somebody-{number:04}@example.org" for number in range(500)]
    assert (await send(node, refer(GROUP, "ann", *uids))).entries[0].seq == 3
    await node.close()
    assert await other.members.count(GROUP) == 1 + len(uids)
    items = (await node.faulty.table.scan(10_000)).items
    assert not any(str(item["sk"]).startswith(keys.FOLLOW) for item in items)
