"""Many people come into a group, or leave it, at the same moment: none keeps another out."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.chat.crowd import G, Waiting, nodes
from webchat.errors import Code, WebchatError
from webchat.model import ConvID, Uid
from webchat.ports.log import AppendDone
from webchat.service.standing import Standing

PEOPLE = [f"person{at}" for at in range(100)]


async def test_a_link_for_so_many_lets_them_all_in_who_open_it_at_once(tmp_path: Path) -> None:
    async with nodes(tmp_path) as (node,):
        await node.found()
        link = await node.links.make("anna", G, 60, len(PEOPLE))
        tried = node.count_appends()
        entered = await asyncio.gather(*[node.links.enter(uid, link.code) for uid in PEOPLE])
        assert sorted(each.seq for each in entered) == list(range(2, 2 + len(PEOPLE)))
        assert tried == ["join"] * len(PEOPLE)
        with pytest.raises(WebchatError) as refused:
            await node.links.enter("late", link.code)
        assert refused.value.code is Code.NOT_FOUND


async def test_all_come_in_who_open_a_link_at_several_nodes_at_once(tmp_path: Path) -> None:
    async with nodes(tmp_path, 3) as three:
        await three[0].found()
        link = await three[0].links.make("anna", G, 60, len(PEOPLE))
        entering = [three[at % 3].links.enter(uid, link.code) for at, uid in enumerate(PEOPLE)]
        entered = await asyncio.gather(*entering)
        assert sorted(each.seq for each in entered) == list(range(2, 2 + len(PEOPLE)))
        assert [each.uses for each in await three[0].links.of_group("anna", G)] == [0]


async def test_who_is_overtaken_by_many_at_another_node_comes_in_by_one_use_of_a_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with nodes(tmp_path, 2) as (here, there):
        await here.found()
        link = await here.links.make("anna", G, 60, len(PEOPLE) + 1)
        standing_of, faster = here.standings.of, iter(PEOPLE)

        async def overtaken(uid: Uid, conv: ConvID) -> Standing:
            standing = await standing_of(uid, conv)
            if (other := next(faster, None)) is not None:
                await there.links.enter(other, link.code)
            return standing

        monkeypatch.setattr(here.standings, "of", overtaken)
        assert (await here.links.enter("ben", link.code)).seq == 2 + len(PEOPLE)


async def test_all_leave_who_leave_at_once(tmp_path: Path) -> None:
    async with nodes(tmp_path) as (node,):
        await node.world.register(*PEOPLE)
        people = [Waiting(node.world, uid) for uid in PEOPLE]
        await node.found(*PEOPLE)
        for person in people:
            await person.connect()
            await person.join()
        tried = node.count_appends()
        acks = await asyncio.gather(*[person.do("depart", G) for person in people])
        assert sorted(ack["Seq"] for ack in acks) == list(range(2, 2 + len(PEOPLE)))
        assert tried == ["depart"] * len(PEOPLE)
        assert await node.store.members.count(G) == 1


async def test_while_the_store_refuses_all_who_wait_for_their_turn_are_refused_at_once(
    tmp_path: Path,
) -> None:
    async with nodes(tmp_path) as (node,):
        await node.found()
        log: Any = node.store.log
        append, waiting = log.append, asyncio.Queue[AppendDone]()
        log.append = lambda request, done: waiting.put_nowait(done)
        entering = [asyncio.create_task(node.let_in(uid)) for uid in PEOPLE]
        first = await waiting.get()
        first(WebchatError(Code.UNAVAILABLE, "the store is not answering"))
        outcomes = await asyncio.gather(*entering, return_exceptions=True)
        assert [getattr(each, "code", each) for each in outcomes] == [Code.UNAVAILABLE] * 100
        assert waiting.empty()
        log.append = append
        assert (await node.let_in("ben")).seq == 2
