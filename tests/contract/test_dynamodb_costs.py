"""What acts cost a DynamoDB table, in requests."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from tests.contract.asking import create, message, move, send, to_pair
from tests.contract.dynamodb_nodes import Cluster, Node, cluster_of
from tests.engines.dynamodb import shared_server
from webchat.adapters.dynamodb.pages import page_key
from webchat.adapters.dynamodb.table import ANY
from webchat.adapters.dynamodb.window import RUN_KEYS
from webchat.model import pair_conv
from webchat.ports.log import Append
from webchat.ports.positions import Move

CONV = pair_conv("ann", "bob")
BUSY = 3 * RUN_KEYS + 100


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with cluster_of(shared_server()) as made:
        yield made


def requests_of(node: Node) -> Counter[str]:
    return node.faulty.puts + node.faulty.reads


async def test_a_message_to_a_pair_is_one_conditional_write(cluster: Cluster) -> None:
    node = await cluster.node()
    for msg_id, sender, receiver in (("1", "ann", "bob"), ("2", "bob", "ann")):
        await send(node, to_pair(sender, receiver, msg_id))
    before = requests_of(node)
    for number in range(3, 6):
        await send(node, to_pair("ann", "bob", str(number)))
    assert requests_of(node) - before == Counter({"H": 3})


async def test_messages_of_one_moment_share_their_write(cluster: Cluster) -> None:
    node = await cluster.node()
    await send(node, to_pair("ann", "bob", "0"))
    before = node.faulty.puts["H"]
    await asyncio.gather(*[send(node, to_pair("ann", "bob", f"m{n}")) for n in range(100)])
    assert node.faulty.puts["H"] - before <= 2


async def test_old_entries_are_rolled_out_many_at_a_time(cluster: Cluster) -> None:
    node = await cluster.node()
    for number in range(60):
        await send(node, to_pair("ann", "bob", str(number)))
    assert node.faulty.puts["B"] <= 60 / 5


async def test_a_receipt_is_one_write(cluster: Cluster) -> None:
    node = await cluster.node()
    await send(node, create("group_x", "ann", "bob"))
    for number in range(5):
        await send(node, Append("group_x", (message("ann", str(number)),)))
    await move(node, Move("group_x", "bob", 2, 1))
    before = requests_of(node)
    await move(node, Move("group_x", "bob", 4, 3), Move("group_x", "bob", 0, 5))
    assert requests_of(node) - before == Counter({"M": 1})


async def test_heads_of_250_logs_are_three_reads(cluster: Cluster) -> None:
    node = await cluster.node()
    before = requests_of(node)
    await node.log.heads([f"group_{number}" for number in range(250)])
    assert requests_of(node) - before == Counter({"get_many": 3})


async def test_a_page_of_a_users_list_reads_heads_in_batches(cluster: Cluster) -> None:
    node, reader = await cluster.node(), await cluster.node()
    for number in range(30):
        await send(node, to_pair("ann", f"u{number}", "1"))
    before = requests_of(reader)
    assert len(await reader.following.newest("ann", None, 20)) == 20
    assert requests_of(reader) - before == Counter({"query": 1, "get_many": 2})


async def test_a_first_append_to_a_busy_log_reads_pages_of_keys_and_not_the_log(
    cluster: Cluster,
) -> None:
    talking = await cluster.node()
    asked = [send(talking, Append(CONV, (message("ann", f"m{n}"),))) for n in range(BUSY)]
    await asyncio.gather(*asked)
    await talking.close()
    late = await cluster.node()
    again = await send(late, Append(CONV, (message("ann", "m5"),)))
    assert (again.entries[0].seq, again.fresh) == (6, False)
    assert late.faulty.reads["get_many"] <= 2
    assert late.faulty.reads["get"] <= 4
    assert late.faulty.reads["query"] <= 5
    outcome = await send(late, Append(CONV, (message("ann", "new"),)))
    assert outcome.entries[0].seq == BUSY + 1


async def test_pages_that_no_node_wrote_are_written_by_who_reads_them(cluster: Cluster) -> None:
    talking = await cluster.node()
    asked = [send(talking, Append(CONV, (message("ann", f"m{n}"),))) for n in range(BUSY)]
    await asyncio.gather(*asked)
    await talking.close()
    for number in range(BUSY // RUN_KEYS):
        await talking.faulty.table.delete(page_key(CONV, number), ANY)
    for _ in range(2):
        late = await cluster.node()
        again = await send(late, Append(CONV, (message("ann", "m5"),)))
        assert (again.entries[0].seq, again.fresh) == (6, False)
    assert late.faulty.reads["query"] <= 5
    pages = [page_key(CONV, number) for number in range(BUSY // RUN_KEYS - 1)]
    assert len(await late.faulty.table.get_many(pages)) == len(pages)
