"""Leases of nodes: who lives, who is gone, and what is wrong among them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest
from structlog.testing import capture_logs

from tests.memory import settle
from tests.service.town import RENEWAL_S, Town, ids, never_removes
from webchat.ports.nodes import NodeRefused, NodeRow
from webchat.service.peers import new_node_id, own_row


def told(logs: Sequence[Mapping[str, object]], event: str) -> list[tuple[object, ...]]:
    """Of each such line the node, the level and why."""
    lines = [line for line in logs if line["event"] == event]
    return [(line["node"], line["log_level"], line.get("why")) for line in lines]


async def test_nodes_find_each_other_and_how_to_reach_them(town: Town) -> None:
    a, b = town.node("a", roles=("chat",)), town.node("b", roles=("profile", "web"))
    await town.start(a, b)
    await town.pass_time(RENEWAL_S)
    assert ids(a.living()) == ["b"]
    assert ids(b.living()) == ["a"]
    assert a.url_of("b") == "http://b:4000"
    assert a.url_of("a") is None
    assert a.url_of("c") is None
    assert ids(a.playing("web")) == ["b"]
    assert ids(a.playing("chat")) == []
    assert await a.trouble() == ""


async def test_who_looks_again_learns_of_a_node_that_has_just_come(town: Town) -> None:
    a, b = town.node("a"), town.node("b")
    await town.start(a)
    await town.pass_time(1)
    await town.start(b)
    assert a.url_of("b") is None
    with capture_logs() as logs:
        await a.look_again()
        assert a.url_of("b") == "http://b:4000"
        await town.pass_time(300)
    assert told(logs, "a node has come") == [("b", "info", None)]
    assert ids(a.living()) == ["b"]
    assert town.gone == {"a": [], "b": []}


async def test_nodes_that_were_looked_for_are_in_their_place_among_the_others(town: Town) -> None:
    a, b, c = (town.node(name) for name in "abc")
    await town.start(a, c)
    await town.pass_time(RENEWAL_S)
    await town.start(b)
    await a.look_again()
    assert ids(a.living()) == ["b", "c"]


async def test_those_who_look_again_together_share_a_read(town: Town) -> None:
    a = town.node("a")
    await town.start(a)
    reads = town.count_reads()
    await asyncio.gather(*(a.look_again() for _ in range(5)))
    assert reads == ["all"]


async def test_who_looks_again_soon_after_others_waits_for_the_next_read(town: Town) -> None:
    a, b = town.node("a"), town.node("b")
    await town.start(a)
    await a.look_again()
    await town.start(b)
    town.clock.advance(0.1)
    looking = asyncio.create_task(a.look_again())
    await settle()
    assert not looking.done()
    town.clock.advance(0.4)
    await looking
    assert a.url_of("b") == "http://b:4000"


async def test_to_look_again_neither_brings_a_crashed_node_back_nor_ends_it_sooner(
    town: Town,
) -> None:
    a, b = town.node("a"), town.node("b")
    await town.start(a, b)
    await town.pass_time(2 * RENEWAL_S)
    await town.crash(b)
    for _ in range(20):
        await a.look_again()
        town.clock.advance(0.5)
        await settle()
    assert a.url_of("b") == "http://b:4000"
    await town.pass_time(10)
    await a.look_again()
    assert a.url_of("b") is None
    assert town.gone["a"] == ["b"]


async def test_a_node_that_crashes_once_it_was_looked_for_keeps_its_lease(town: Town) -> None:
    a, b = town.node("a"), town.node("b")
    await town.start(a)
    town.clock.advance(RENEWAL_S - 0.1)
    await town.start(b)
    await a.look_again()
    await town.crash(b)
    await town.pass_time(3 * RENEWAL_S)
    assert a.url_of("b") == "http://b:4000"
    await town.pass_time(RENEWAL_S)
    assert a.url_of("b") is None
    assert town.gone["a"] == ["b"]


async def test_to_look_again_leaves_a_dead_node_dead_whose_row_is_still_there(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = town.node("a"), town.node("b")
    await town.start(a, b)
    await town.pass_time(RENEWAL_S)
    await town.crash(b)
    monkeypatch.setattr(town.store.nodes, "remove", never_removes)
    await town.pass_time(20)
    await a.look_again()
    assert ids(await town.store.nodes.all()) == ["a", "b"]
    assert a.url_of("b") is None


async def test_who_looks_again_learns_of_a_node_that_was_held_up(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = town.node("a"), town.node("b")
    await town.start(a, b)
    await town.pass_time(RENEWAL_S)
    await town.crash(b)
    monkeypatch.setattr(town.store.nodes, "remove", never_removes)
    await town.pass_time(20)
    assert a.url_of("b") is None
    await town.store.nodes.put(NodeRow("b", b.me.incarnation, "http://b:4000", (), "1.0", 99, 0))
    await a.look_again()
    assert a.url_of("b") == "http://b:4000"


async def test_while_the_store_is_down_nothing_is_learned(town: Town) -> None:
    a, b = town.node("a"), town.node("b")
    await town.start(a, b)
    town.store.is_down = True
    await a.look_again()
    assert a.url_of("b") is None


async def test_a_node_that_renews_lives_for_ever(town: Town) -> None:
    a, b = town.node("a"), town.node("b")
    await town.start(a, b)
    await town.pass_time(300)
    assert ids(a.living()) == ["b"]
    assert ids(b.living()) == ["a"]
    assert town.gone == {"a": [], "b": []}


async def test_the_lease_of_a_crashed_node_lapses_within_its_time_and_a_renewal(
    town: Town,
) -> None:
    a, b = town.node("a"), town.node("b")
    await town.start(a, b)
    await town.pass_time(2 * RENEWAL_S)
    await town.crash(b)
    await town.pass_time(14)
    assert a.url_of("b") == "http://b:4000"
    assert town.gone["a"] == []
    await town.pass_time(6)
    assert a.url_of("b") is None
    assert ids(a.living()) == []
    assert town.gone["a"] == ["b"]
    assert ids(await town.store.nodes.all()) == ["a"]
    await town.pass_time(60)
    assert town.gone["a"] == ["b"]


async def test_all_peers_hear_of_a_crash_whoever_removes_the_row(town: Town) -> None:
    nodes = [town.node(name) for name in "abc"]
    await town.start(*nodes)
    await town.pass_time(RENEWAL_S)
    await town.crash(nodes[2])
    with capture_logs() as logs:
        await town.pass_time(30)
    assert told(logs, "a node is gone") == [("c", "warning", "silent for 15 s")] * 2
    assert town.gone == {"a": ["c"], "b": ["c"], "c": []}


async def test_a_node_that_stops_is_gone_at_the_next_read(town: Town) -> None:
    a, b = town.node("a"), town.node("b")
    await town.start(a, b)
    await town.pass_time(RENEWAL_S)
    await b.stop()
    assert ids(await town.store.nodes.all()) == ["a"]
    with capture_logs() as logs:
        await town.pass_time(RENEWAL_S)
    assert told(logs, "a node is gone") == [("b", "info", "stopped")]
    assert town.gone["a"] == ["b"]
    assert ids(a.living()) == []


async def test_nobody_lapses_while_the_store_is_down_nor_when_it_is_back(town: Town) -> None:
    a, b = town.node("a"), town.node("b")
    await town.start(a, b)
    await town.pass_time(2 * RENEWAL_S)
    town.store.is_down = True
    await town.pass_time(3_600)
    assert a.url_of("b") == "http://b:4000"
    assert "could not be renewed" in await a.trouble()
    town.store.is_down = False
    await town.pass_time(60)
    assert town.gone == {"a": [], "b": []}
    assert await a.trouble() == ""


async def test_a_node_that_died_while_the_store_was_down_lapses_after_it(town: Town) -> None:
    a, b = town.node("a"), town.node("b")
    await town.start(a, b)
    await town.pass_time(2 * RENEWAL_S)
    await town.crash(b)
    town.store.is_down = True
    await town.pass_time(60)
    town.store.is_down = False
    await town.pass_time(20)
    assert town.gone["a"] == ["b"]


async def test_a_node_that_was_held_up_comes_back(town: Town) -> None:
    a, b = town.node("a"), town.node("b")
    await town.start(a, b)
    await town.pass_time(RENEWAL_S)
    await town.crash(b)
    await town.pass_time(30)
    again = NodeRow("b", b.me.incarnation, "http://b:4000", (), "1.0", 99, town.clock.now_ms())
    assert await town.store.nodes.put(again)
    with capture_logs() as logs:
        await town.pass_time(RENEWAL_S)
    assert told(logs, "a node has come") == [("b", "info", None)]
    assert a.url_of("b") == "http://b:4000"


async def test_a_node_started_anew_under_its_id_takes_over_and_its_peers_hear_of_it(
    town: Town,
) -> None:
    a, b = town.node("a"), town.node("b")
    await town.start(a, b)
    await town.pass_time(RENEWAL_S)
    await town.crash(b)
    again = town.node("b")
    starting = asyncio.create_task(town.start(again))
    await town.pass_time(8)
    await starting
    with capture_logs() as logs:
        await town.pass_time(RENEWAL_S)
    assert told(logs, "a node is gone") == [("b", "info", "started anew")]
    assert told(logs, "a node has come") == [("b", "info", None)]
    assert ids(a.living()) == ["b"]
    assert town.gone["a"] == ["b"]
    assert await again.trouble() == ""


async def test_a_second_process_of_a_living_id_is_refused(town: Town) -> None:
    a, second = town.node("a"), town.node("a")
    await town.start(a)
    await town.pass_time(2)
    starting = asyncio.create_task(second.start())
    await town.pass_time(8)
    with pytest.raises(NodeRefused, match="another process at http://a:4000 is node a"):
        await starting
    assert await a.trouble() == ""


async def test_of_two_that_take_a_dead_id_at_once_one_is_refused(town: Town) -> None:
    dead = town.node("a")
    await town.start(dead)
    await town.crash(dead)
    rivals = [town.node("a") for _ in range(2)]
    starting = [asyncio.create_task(town.start(rival)) for rival in rivals]
    await town.pass_time(8)
    outcomes = await asyncio.gather(*starting, return_exceptions=True)
    assert sum(isinstance(outcome, NodeRefused) for outcome in outcomes) == 1
    assert outcomes.count(None) == 1


async def test_a_node_whose_id_was_taken_says_so(town: Town) -> None:
    a = town.node("a")
    await town.start(a)
    await town.store.nodes.remove("a", a.me.incarnation)
    await town.store.nodes.put(own_row("a", "http://other:4000", ("all",), "1.0"))
    await town.pass_time(RENEWAL_S)
    assert "another process at http://other:4000 is node a" in await a.trouble()


@pytest.mark.parametrize(("ahead_ms", "words"), [(3_600_000, "ahead"), (-3_600_000, "behind")])
async def test_clocks_that_differ_are_named_with_by_how_much(
    town: Town, ahead_ms: int, words: str
) -> None:
    a, b = town.node("a"), town.node("b", ahead_ms=ahead_ms)
    await town.start(a, b)
    await town.pass_time(3 * RENEWAL_S)
    trouble = await a.trouble()
    assert "the clock of node b (http://b:4000) is 3" in trouble
    assert f" s {words}" in trouble
    assert "the clock of node a" in await b.trouble()
    assert ids(a.living()) == ["b"]
    await town.pass_time(60)
    assert town.gone == {"a": [], "b": []}


async def test_a_row_as_old_as_an_outage_is_no_clock_that_differs(town: Town) -> None:
    a, b = town.node("a"), town.node("b", ahead_ms=-50_000)
    await town.start(a, b)
    await town.pass_time(2 * RENEWAL_S)
    town.store.is_down = True
    await town.pass_time(600)
    town.store.is_down = False
    await town.pass_time(RENEWAL_S)
    assert await a.trouble() == ""


def test_a_node_that_is_given_no_id_gets_one_of_its_own() -> None:
    made = {new_node_id() for _ in range(50)}
    assert len(made) == 50
    assert own_row(made.pop(), "http://a:1", (), "1.0").incarnation != ""


@pytest.mark.parametrize("node_id", ["", "a.b", "a b", "é", "x" * 33])
def test_an_id_that_could_not_stand_in_a_session_s_id_is_refused(node_id: str) -> None:
    with pytest.raises(NodeRefused, match="node id"):
        own_row(node_id, "http://a:1", (), "1.0")
