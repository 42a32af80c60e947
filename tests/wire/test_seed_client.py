"""The seed's client at work in open mode: pairs, groups, receipts, reconnects (its nine flows)."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import get_args

import pytest

from tests import http
from tests.servers import Server
from tests.wire.people import SeedKind, Town
from tests.wire.seed_page import Page, Pages

KINDS: tuple[SeedKind, ...] = get_args(SeedKind)
ORIGIN = {"Origin": "http://localhost:8080"}


@pytest.fixture
async def pages(open_town: Town) -> AsyncIterator[Pages]:
    """Pages of the seed's client; none may have stumbled by the end."""
    pages = Pages(open_town)
    yield pages
    await pages.close()


async def group_of(maker: Page, *others: Page) -> str:
    """A group that everybody's page knows the members of."""
    uids = [page.uid for page in (maker, *others)]
    group = maker.create(*uids[1:])
    for page in others:
        await page.until_listed(group, *uids)
    return group


# Profiles


def test_profiles_on_their_own_port_as_the_page_asks_for_them(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with (
        Server(tmp_path, "--open", f"--profile-port={port}"),
        http.Client(base_url=f"http://127.0.0.1:{port}", headers=ORIGIN) as profiles,
    ):
        added = profiles.post(
            "/add",
            content=json.dumps({"UID": "0101", "Name": "안나"}),
            headers={"Content-Type": "text/plain;charset=UTF-8"},
        )
        assert (added.status_code, profiles.get("/").status_code) == (200, 200)
        assert added.headers["Access-Control-Allow-Origin"] in ("*", ORIGIN["Origin"])
        found = profiles.get("/search/0101").json()
        assert (found["UID"], found["Name"]) == ("0101", "안나")
        assert profiles.get("/search/0102").json()["UID"] == "0102"
        names = [json.loads(profile)["Name"] for profile in profiles.get("/getall").json()]
        assert "안나" in names


# Pairs


@pytest.mark.parametrize("kind", KINDS)
async def test_two_people_talk_and_see_what_was_read(pages: Pages, kind: SeedKind) -> None:
    alice, bob = await pages.people("a", "b", kind=kind)
    first = alice.send(bob.uid, "안녕 👋")
    await alice.until_read(first)
    await bob.until_shown(alice.uid, f"{alice.uid}: 안녕 👋")
    second = bob.send(alice.uid, "나도")
    await bob.until_read(second)
    await alice.until_shown(bob.uid, f"{alice.uid}: 안녕 👋", f"{bob.uid}: 나도")
    assert alice.states == {first: "display"}


async def test_an_unseen_message_counts_as_delivered_until_it_is_looked_at(pages: Pages) -> None:
    alice, bob = await pages.people("a", "b")
    bob.focused = False
    sent = alice.send(bob.uid, "x")
    await alice.until("the delivery", lambda: alice.states[sent] == "delivery")
    assert alice.read_counts[sent] == 1
    bob.read(alice.uid)
    await alice.until_read(sent)


@pytest.mark.parametrize("kind", KINDS)
async def test_who_was_away_gets_all_in_order_and_its_author_the_receipts(
    pages: Pages, kind: SeedKind
) -> None:
    (alice,) = await pages.people("a", kind=kind)
    b = pages.town.person("b")
    sent = [alice.send(b, f"{number} 번") for number in range(5)]
    await pages.town.device(b)  # Joined, so what was sent before has been dealt with.
    bob = await pages.open(b, kind)
    await bob.until_shown(alice.uid, *(f"{alice.uid}: {number} 번" for number in range(5)))
    for msg_id in sent:
        await alice.until_read(msg_id)


async def test_receipts_wait_for_who_is_away_and_come_once(pages: Pages) -> None:
    alice, bob = await pages.people("a", "b")
    bob.focused = False
    sent = alice.send(bob.uid, "read me later")
    await bob.until_shown(alice.uid, f"{alice.uid}: read me later")
    a = alice.uid
    await pages.shut(alice)
    bob.read(a)
    await bob.wire.call("chat", json.dumps({
        "EvtType": "display", "From": bob.uid, "Originated": "", "To": a, "MsgID": sent,
        "Timestamp": 1,
    }))  # fmt: skip

    back = await pages.open(a)
    await back.until("the kept display", lambda: back.count("display"))
    await pages.shut(back)
    again = await pages.open(a)
    bob.send(a, "are you there?")
    await again.until_shown(bob.uid, f"{bob.uid}: are you there?")
    assert again.count("display") == again.count("delivery") == 0


@pytest.mark.parametrize("kind", KINDS)
async def test_a_page_that_lost_its_network_goes_on(pages: Pages, kind: SeedKind) -> None:
    alice, bob = await pages.people("a", "b", kind=kind)
    await alice.drop()
    missed = bob.send(alice.uid, "while you were away")
    typed = alice.send(bob.uid, "typed after the reconnect")
    await alice.until_read(typed)
    await bob.until_read(missed)
    assert alice.windows[bob.uid].count(f"{bob.uid}: while you were away") == 1


# Groups


@pytest.mark.parametrize("kind", KINDS)
async def test_a_group_talks_and_counts_down_who_has_read(pages: Pages, kind: SeedKind) -> None:
    alice, bob, carol = await pages.people("a", "b", "c", kind=kind)
    group = await group_of(alice, bob, carol)
    carol.focused = False
    hello = alice.send(group, "모두 안녕")
    await alice.until("one reader", lambda: alice.read_counts[hello] == 1)
    carol.read(group)
    await alice.until_read(hello)

    answer = bob.send(group, "me too")
    carol.focused = True
    await bob.until_read(answer)
    lines = (f"{alice.uid}: 모두 안녕", f"{bob.uid}: me too")
    for page in (alice, bob, carol):
        await page.until_shown(group, *lines)


async def test_each_reader_is_told_once(pages: Pages) -> None:
    alice, bob, carol = await pages.people("a", "b", "c")
    group = await group_of(alice, bob, carol)
    sent = [alice.send(group, str(number)) for number in range(10)]
    for msg_id in sent:
        await alice.until_read(msg_id)
    said = [(e["EvtType"], e["Originated"], e["MsgID"]) for e in alice.heard]
    assert len(set(said)) == len(said) == 10 * 2 * 2


@pytest.mark.parametrize("kind", ["seed-websocket", "seed-upgrade"])
async def test_adding_somebody_before_and_after_the_first_message(
    pages: Pages, kind: SeedKind
) -> None:
    """By polling alone the page does not survive a join before its group's first message."""
    alice, bob, carol, dora = await pages.people("a", "b", "c", "d", kind=kind)
    group = await group_of(alice, bob)
    alice.refer(group, carol.uid)
    for page in (alice, bob, carol):
        await page.until_listed(group, alice.uid, bob.uid, carol.uid)
    await alice.until_read(alice.send(group, "hello"))

    bob.refer(group, dora.uid)
    everybody = [page.uid for page in (alice, bob, carol, dora)]
    for page in (alice, bob, carol, dora):
        await page.until_listed(group, *everybody)
    await bob.until_shown(group, f"{alice.uid}: hello", f"+ {dora.uid}")
    last = dora.send(group, "hi all")
    assert dora.read_counts[last] == 3
    await dora.until_read(last)


async def test_who_left_is_not_waited_for_and_hears_nothing_more(pages: Pages) -> None:
    alice, bob, carol = await pages.people("a", "b", "c")
    group = await group_of(alice, bob, carol)
    await alice.until_read(alice.send(group, "hello"))
    carol.depart(group)
    for page in (alice, bob):
        await page.until_listed(group, alice.uid, bob.uid)
    after = bob.send(group, "gone?")
    assert bob.read_counts[after] == 1
    await bob.until_read(after)
    assert carol.windows[group] == [f"{alice.uid}: hello"]

    alice.refer(group, carol.uid)
    await carol.until("a new list", lambda: carol.count("notify") == 2)
    await bob.until_listed(group, alice.uid, bob.uid, carol.uid)  # it counts its readers by that
    await bob.until_read(bob.send(group, "back again"))
    assert carol.windows[group][-1] == f"{bob.uid}: back again"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_member_who_was_away_gets_list_and_messages(pages: Pages, kind: SeedKind) -> None:
    alice, bob = await pages.people("a", "b", kind=kind)
    c, d = pages.town.person("c"), pages.town.person("d")
    group = alice.create(bob.uid, c)
    await bob.until_listed(group, alice.uid, bob.uid, c)
    first = alice.send(group, "first")
    await bob.until_shown(group, f"{alice.uid}: first")
    bob.refer(group, d)
    await alice.until_listed(group, alice.uid, bob.uid, c, d)
    second = alice.send(group, "second")
    dora = await pages.open(d, kind)
    await dora.until_shown(group, f"{alice.uid}: second")
    dora.depart(group)
    await alice.until_listed(group, alice.uid, bob.uid, c)

    carol = await pages.open(c, kind)
    await carol.until_shown(group, f"{alice.uid}: first", f"{alice.uid}: second")
    await carol.until_listed(group, alice.uid, bob.uid, c)
    await alice.until_read(first)
    await alice.until_read(second)
    await carol.until_read(carol.send(group, "here"))


async def test_a_page_that_was_loaded_anew_asks_for_the_list(pages: Pages) -> None:
    alice, bob, carol = await pages.people("a", "b", "c")
    group = await group_of(alice, bob, carol)
    await alice.until_read(alice.send(group, "one"))
    await pages.shut(carol)
    again = await pages.open(carol.uid)
    await alice.until_read(alice.send(group, "two"))
    await again.until_listed(group, alice.uid, bob.uid, carol.uid)
    await again.until_shown(group, f"{alice.uid}: two")
    assert again.count("notify") == 1
    bob.refer(group, d := pages.town.person("d"))
    for page in (alice, bob, again):
        await page.until_listed(group, alice.uid, bob.uid, carol.uid, d)


async def test_the_list_stays_right_through_a_reconnect(pages: Pages) -> None:
    alice, bob, carol = await pages.people("a", "b", "c")
    group = await group_of(alice, bob, carol)
    await alice.until_read(alice.send(group, "one"))
    await carol.drop()
    d, e = pages.town.person("d"), pages.town.person("e")
    alice.refer(group, d)
    await bob.until_listed(group, alice.uid, bob.uid, carol.uid, d)
    typed = carol.send(group, "typed after the reconnect")
    await carol.until_listed(group, alice.uid, bob.uid, carol.uid, d)
    await carol.until("two readers", lambda: carol.read_counts[typed] == 0)
    bob.refer(group, e)
    for page in (alice, bob, carol):
        await page.until_listed(group, alice.uid, bob.uid, carol.uid, d, e)


# A server that forgot


async def test_a_group_that_the_server_forgot_is_made_again_from_a_pages_list(
    tmp_path: Path,
) -> None:
    with Server(tmp_path / "before", "--open") as server:
        pages = Pages(Town(server, open_mode=True))
        alice, bob, carol = await pages.people("a", "b", "c")
        group = await group_of(alice, bob, carol)
        await alice.until_read(alice.send(group, "before"))
        port = server.port
    with Server(tmp_path / "after", "--open", port=port):
        for page in (alice, bob, carol):
            await page.take("reconnect", lambda heard: heard[0] == "reconnect")
        held = alice.send(group, "held")
        await alice.until("the list again", lambda: alice.count("notify"))
        bob.send(group, "from Bob")
        carol.send(group, "from Carol")
        await alice.until_read(held)
        assert alice.count("restart") == 1
        for page in (bob, carol):
            lines = page.windows[group]
            assert lines.count(f"{alice.uid}: held") == 1
            await page.until_listed(group, alice.uid, bob.uid, carol.uid)
        assert sum(line.endswith(": held") for line in alice.windows[group]) == 1
        await pages.close()
        await pages.town.close()
