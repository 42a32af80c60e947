"""A link that many open at the same moment, over REST and a real store."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.chat.crowd import G, nodes
from tests.rest.api import Api, check_problem
from tests.service.world import World

PEOPLE = 60


async def test_a_link_for_so_many_lets_them_all_in_who_open_it_at_once(
    world: World, tmp_path: Path
) -> None:
    tokens = []
    for at in range(PEOPLE + 1):
        await world.profile_of(f"person{at}")
        tokens.append((await world.tokens.issue(f"person{at}")).token)
    *opening, late = tokens
    async with nodes(tmp_path) as (node,):
        await node.found()
        link = await node.links.make("anna", G, 60, PEOPLE)
        world.links = node.links
        api = Api(world, static_dir=tmp_path / "static")
        path = f"/invites/{link.code}"
        answers = await asyncio.gather(*[api.as_user(each, "POST", path) for each in opening])
        assert [answer.status_code for answer in answers] == [200] * PEOPLE
        assert sorted(each.json()["Seq"] for each in answers) == list(range(2, 2 + PEOPLE))
        check_problem(await api.as_user(late, "POST", path), 404, "not_found")
        await api.close()
