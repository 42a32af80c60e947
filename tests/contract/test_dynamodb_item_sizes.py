"""Items of a DynamoDB store that many acts in one log make longer."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from random import Random

from tests.contract.asking import create, delete, edit, message, refer, send
from tests.contract.dynamodb_nodes import FaultyTable, Node, cluster_of
from tests.contract.plain_table import PlainTable
from tests.engines.dynamodb import shared_server
from tests.memory import ManualClock
from webchat.adapters.dynamodb import DynamoSettings, keys
from webchat.adapters.dynamodb.head import as_bytes
from webchat.model import Entry
from webchat.ports.log import Append
from webchat.ports.transfer import EntryRecord

GROUP = "group_x"
ENTRIES = 12


def long_text(seed: object, size: int) -> str:
    """A text that hardly becomes shorter by being packed."""
    return b64encode(Random(str(seed)).randbytes(size)).decode()[:size]


def bodies(entries: list[Entry]) -> dict[int, str]:
    return {entry.seq: json.loads(entry.envelope)["Body"] for entry in entries}


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
