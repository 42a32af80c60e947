"""Nodes on a table that loses answers and does writes late: every acked entry once, in one order.

A failing seed is in the test's name. WEBCHAT_DYNAMODB_SEEDS: how many.
"""

from __future__ import annotations

import asyncio
import json
import os
from random import Random

import msgspec
import pytest

from tests.contract.asking import create, depart, edit, message, move, refer, send
from tests.contract.dynamodb_nodes import FaultyTable, Node
from tests.contract.dynamodb_table import ShakyTable
from webchat.adapters.dynamodb import DynamoSettings
from webchat.adapters.memory import LoopClock
from webchat.errors import Code, MembersChanged, WebchatError
from webchat.model import Entry, Membership, user_log
from webchat.ports.log import Append, Appended
from webchat.ports.positions import Move

SEEDS = int(os.environ.get("WEBCHAT_DYNAMODB_SEEDS", "25"))
GROUP = "group_x"
SETTINGS = DynamoSettings(
    "nowhere", "none", inline_bytes=500, kept_inline_bytes=150, inline_senders=1, batch_bytes=1_500,
    follow_inline_bytes=60, max_logs=3, max_positions=2, retry_within_ms=5, pause_ms=1,
    max_pause_ms=4, mark_age_ms=0,
)  # fmt: skip


class Story:
    """Some people talk in a group by way of nodes, and send again what was not acked."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.table = ShakyTable(self.rng, one_in=self.rng.choice([0, 4, 8, 20]))
        self.nodes = [self.node() for _ in range(3)]
        self.acked: dict[str, int] = {}
        self.refused: set[str] = set()
        self.talking: set[str] = set()

    def node(self) -> Node:
        return Node(FaultyTable(self.table), SETTINGS, LoopClock())

    async def insist(self, request: Append) -> Appended | None:
        """Ask any node until one answers; None: refused."""
        while True:
            try:
                return await send(self.rng.choice(self.nodes), request)
            except MembersChanged:
                return None
            except WebchatError as error:
                if error.code is not Code.UNAVAILABLE:
                    return None

    async def talk(self, uid: str) -> None:
        self.talking.add(uid)
        await self._talk(uid)
        self.talking.remove(uid)

    async def _talk(self, uid: str) -> None:
        for number in range(self.rng.randrange(5, 15)):
            key = f"{uid}-{number}"
            outcome = await self.insist(self.request(uid, key))
            if outcome is None:
                self.refused.add(key)
            else:
                assert outcome.entries[0].msg_id == key
                assert self.acked.setdefault(key, outcome.entries[0].seq)
            if self.rng.randrange(6) == 0:
                await self.read_on(uid, number)

    def request(self, uid: str, key: str) -> Append:
        draft = message(uid, key, "x" * self.rng.randrange(80))
        match self.rng.randrange(8):
            case 0:
                return edit(GROUP, uid, self.rng.randrange(1, 12), f"edited {key}", key)
            case 1:
                return with_key(refer(GROUP, uid, f"guest-{key}"), key)
            case 2:
                return Append(GROUP, (draft,), members_as_of=self.rng.randrange(30))
            case _:
                return Append(GROUP, (draft,), moves_sender=True)

    async def read_on(self, uid: str, seq: int) -> None:
        try:
            await move(self.rng.choice(self.nodes), Move(GROUP, uid, seq + 3, seq))
        except WebchatError as error:
            assert error.code is Code.UNAVAILABLE  # noqa: PT017

    async def kill_nodes(self) -> None:
        """Kill one now and then, between any two of its requests, and start another."""
        while self.talking:
            for _ in range(self.rng.randrange(200)):
                await asyncio.sleep(0)
            place = self.rng.randrange(3)
            self.nodes[place].faulty.is_gone.set()
            self.nodes[place] = self.node()


def with_key(request: Append, key: str) -> Append:
    (draft,) = request.drafts
    return msgspec.structs.replace(request, drafts=(msgspec.structs.replace(draft, msg_id=key),))


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_whatever_is_lost_acked_entries_are_there_once_and_all_that_follows(
    seed: int,
) -> None:
    story = Story(seed)
    created = await story.insist(with_key(create(GROUP, "ann", "bob", "cid"), "c"))
    assert created is not None
    await asyncio.gather(*map(story.talk, ("ann", "bob", "cid")), story.kill_nodes())
    await story.insist(with_key(depart(GROUP, "cid", since=1), "d"))
    story.table.one_in = 0
    await story.table.settle()
    for node in story.nodes:
        await node.close()
    last = story.node()
    await last.finish_left_behind()
    await last.close()
    await check(story, await last.log.read(GROUP, 0, 10_000), last)


async def check(story: Story, log: list[Entry], node: Node) -> None:
    assert [entry.seq for entry in log] == list(range(1, len(log) + 1))
    keys = [entry.msg_id for entry in log]
    assert len(set(keys)) == len(keys)
    assert {key: keys.index(key) + 1 for key in story.acked} == story.acked
    assert not story.refused.intersection(keys)
    assert [entry.n for entry in log] == counted(log)
    await check_members(log, node)
    check_edits(log)
    assert await node.faulty.marked("0", 9) + await node.faulty.marked("1", 9) == []


def counted(log: list[Entry]) -> list[int]:
    return [sum(each.kind == "message" for each in log[: place + 1]) for place in range(len(log))]


async def check_members(log: list[Entry], node: Node) -> None:
    since = dict.fromkeys(("ann", "bob", "cid"), 1)
    for entry in log:
        if entry.kind == "join":
            since[f"guest-{entry.msg_id}"] = entry.seq
    left = log[-1].seq
    for uid, seq in since.items():
        until = left if uid == "cid" else None
        assert await node.members.spans(GROUP, uid) == [Membership(GROUP, uid, seq, until, "")]
        assert await node.members.of_user(uid) == [Membership(GROUP, uid, seq, until, "")]
        told = [entry.msg_id for entry in await node.log.read(user_log(uid), 0, 99)]
        expected = [f"{GROUP}:{seq}", *([f"{GROUP}:{until}"] if until else [])]
        assert sorted(told) == sorted(expected)
    assert await node.members.count(GROUP) == len(since) - 1


def check_edits(log: list[Entry]) -> None:
    newest: dict[int, int] = {}
    for entry in log:
        if entry.kind == "edit":
            refers = json.loads(entry.envelope)["Refers"]
            if refers < entry.seq:
                newest[refers] = entry.seq
    for refers, by in newest.items():
        assert json.loads(log[refers - 1].envelope)["Edited"] == by
