"""Conversations over REST: shapes of the wire, paging by what `next` says, bad queries."""

from __future__ import annotations

import pytest

from tests.rest.api import Api, check_problem
from webchat.model import Group

PAIR = "dm:ann:ben"
GROUP = "group_team"


async def test_the_list_has_the_contracts_shape_and_the_last_entry_whole(api: Api) -> None:
    token = await api.register("ann")
    await api.register("ben")
    await api.world.say("ann", "ben")
    await api.world.say("ben", "ann", "안녕")
    page = (await api.as_user(token, "GET", "/conversations")).json()
    (item,) = page["items"]
    events = (await api.as_user(token, "GET", f"/conversations/{PAIR}/events")).json()
    assert page["next"] is None
    assert item.pop("last") == events["items"][-1]
    assert item == {
        "ConvID": PAIR, "name": "Ben", "N": 2, "delivered": 0, "displayed": 0, "unread": 2,
        "left": False,
    }  # fmt: skip


async def test_the_list_is_paged_by_an_opaque_cursor(api: Api) -> None:
    token = await api.register("ann")
    for number in range(5):
        await api.world.say("ann", f"uid{number}")
    seen, cursor = list[str](), ""
    for _ in range(3):
        path = f"/conversations?limit=2&before={cursor}"
        page = (await api.as_user(token, "GET", path)).json()
        seen += [item["ConvID"] for item in page["items"]]
        cursor = page["next"] or "no more"
    assert cursor == "no more"
    assert seen == [f"dm:ann:uid{number}" for number in (4, 3, 2, 1, 0)]


async def test_one_conversation_has_the_contracts_shape(api: Api) -> None:
    token = await api.register("ann")
    await api.world.group(GROUP, "ann", "ben", name="Team")
    response = await api.as_user(token, "GET", f"/conversations/{GROUP}")
    assert response.json() == {
        "ConvID": GROUP, "name": "Team", "picture": None, "members": 2, "role": "admin",
        "group": {
            "history_open": False, "announcements": False, "public": False, "closed": False,
        },
    }  # fmt: skip


async def test_a_pair_is_no_group(api: Api) -> None:
    token = await api.register("ann")
    await api.world.say("ann", "ben")
    assert (await api.as_user(token, "GET", f"/conversations/{PAIR}")).json()["group"] is None


async def test_a_group_is_shown_as_it_was_changed(api: Api) -> None:
    token = await api.register("ann")
    await api.world.group(GROUP, "ann", "ben", name="Team")
    await api.world.regroup(Group(GROUP, "Crew", "file-1", history_open=True, closed=True))
    shown = (await api.as_user(token, "GET", f"/conversations/{GROUP}")).json()
    (listed,) = (await api.as_user(token, "GET", "/conversations")).json()["items"]
    assert (shown["name"], shown["picture"], listed["name"]) == ("Crew", "file-1", "Crew")
    assert (shown["group"]["history_open"], shown["group"]["closed"]) == (True, True)


async def test_whoever_has_left_is_told_a_groups_name_and_nothing_else_of_today(api: Api) -> None:
    token = await api.register("ann")
    await api.world.group(GROUP, "ben", "ann", name="Team")
    await api.world.depart(GROUP, "ann")
    await api.world.regroup(Group(GROUP, "Crew", "file-1", announcements=True))
    shown = (await api.as_user(token, "GET", f"/conversations/{GROUP}")).json()
    assert shown == {
        "ConvID": GROUP, "name": "Crew", "picture": None, "members": None, "role": "",
        "group": None,
    }  # fmt: skip


async def test_an_open_history_is_read_from_the_start_by_members_alone(api: Api) -> None:
    token = await api.register("ann")
    await api.world.group(GROUP, "ben")
    await api.world.write(GROUP, "ben", "before")
    await api.world.join(GROUP, "ann")
    path = f"/conversations/{GROUP}/events"

    async def read(query: str = "") -> list[int]:
        page = (await api.as_user(token, "GET", path + query)).json()
        return [entry["Seq"] for entry in page["items"]]

    assert await read() == [3]
    await api.world.regroup(Group(GROUP, history_open=True))
    assert await read() == await read("?after=0") == [1, 2, 3, 4]
    await api.world.depart(GROUP, "ann")
    assert await read() == await read("?after=0") == [3, 4, 5]


async def test_events_are_whole_entries_and_next_is_where_to_go_on(api: Api) -> None:
    token = await api.register("ann")
    for number in range(1, 6):
        await api.world.say("ann", "ben", f"text {number}")
    path = f"/conversations/{PAIR}/events"
    newest = (await api.as_user(token, "GET", f"{path}?limit=2")).json()
    assert [entry["Seq"] for entry in newest["items"]] == [4, 5]
    assert newest["next"] == 4
    entry = newest["items"][1]
    assert (entry["ConvID"], entry["N"], entry["Body"]) == (PAIR, 5, "text 5")
    assert entry["StoredAt"] == api.world.clock.now_ms()
    older = (await api.as_user(token, "GET", f"{path}?limit=9&before=4")).json()
    assert ([entry["Seq"] for entry in older["items"]], older["next"]) == ([1, 2, 3], None)
    later = (await api.as_user(token, "GET", f"{path}?limit=2&after=1")).json()
    assert ([entry["Seq"] for entry in later["items"]], later["next"]) == ([2, 3], 3)


async def test_members_and_receipts_have_the_contracts_shape(api: Api) -> None:
    token = await api.register("ann")
    await api.world.group(GROUP, "ann", "ben")
    await api.world.write(GROUP, "ann")
    await api.world.read(GROUP, "ben", delivered=2, displayed=2)
    members = (await api.as_user(token, "GET", f"/conversations/{GROUP}/members")).json()
    assert members == {
        "items": [
            {"uid": "ann", "name": "Ann", "role": "admin", "since": 1},
            {"uid": "ben", "name": "ben", "role": "member", "since": 1},
        ],
        "next": None,
    }
    receipts = (await api.as_user(token, "GET", f"/conversations/{GROUP}/receipts?seq=2")).json()
    assert receipts == {"items": [{"uid": "ben", "delivered": 2, "displayed": 2}], "next": None}


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=-1", "limit=x", "limit=1.5", "before=x", "before=-1", "after=-1",
     "after=1e99", "before=1&after=1", "before=99999999999999999999999999", "after=0x10",
     "before=null", "after=null", "limit=null", "after=1e3", "before=2.0", "limit=1_0",
     "after=%201"],
)  # fmt: skip
async def test_a_bad_query_of_events_is_refused(api: Api, query: str) -> None:
    token = await api.register("ann")
    await api.world.say("ann", "ben")
    response = await api.as_user(token, "GET", f"/conversations/{PAIR}/events?{query}")
    check_problem(response, 400, "bad_request")


@pytest.mark.parametrize(
    "path",
    ["/conversations?limit=x", "/conversations?before=x", f"/conversations/{PAIR}/members?limit=0",
     f"/conversations/{PAIR}/members?after=a%20b", f"/conversations/{PAIR}/receipts",
     f"/conversations/{PAIR}/receipts?seq=", f"/conversations/{PAIR}/receipts?seq=x",
     f"/conversations/{PAIR}/receipts?seq=null", f"/conversations/{PAIR}/receipts?seq=1.0",
     "/conversations?before=null", "/users?limit=1e1", "/groups?limit=null",
     "/users?limit=0", f"/users?q={'x' * 65}", "/users?after=a%20b", "/groups?after=ann"],
)  # fmt: skip
async def test_any_other_bad_query_is_refused(api: Api, path: str) -> None:
    token = await api.register("ann")
    await api.world.say("ann", "ben")
    check_problem(await api.as_user(token, "GET", path), 400, "bad_request")


async def test_empty_and_unknown_query_fields_are_no_fields(api: Api) -> None:
    token = await api.register("ann")
    await api.world.say("ann", "ben")
    path = f"/conversations/{PAIR}/events?before=&after=&limit=&zzz=1"
    assert len((await api.as_user(token, "GET", path)).json()["items"]) == 1


@pytest.mark.parametrize("part", ["", "/events", "/members", "/receipts?seq=1"])
@pytest.mark.parametrize("conv", [PAIR, "dm:ben:ann", "dm:cat:zoe", GROUP, "user:ann", "%00", "x"])
async def test_what_one_was_never_in_is_not_found_existing_or_not(
    api: Api, conv: str, part: str
) -> None:
    token = await api.register("cat")
    await api.world.say("ann", "ben")
    await api.world.group(GROUP, "ann")
    response = await api.as_user(token, "GET", f"/conversations/{conv}{part}")
    check_problem(response, 404, "not_a_member")
