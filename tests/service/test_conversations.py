"""The list of conversations, one conversation, its history, members and readers."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.service.world import World, code_of
from webchat.errors import Code
from webchat.model import Entry, Group, pair_conv
from webchat.service.conversations import Described
from webchat.service.readers import Reader

GROUP = "group_team"
PAIR = "dm:ann:ben"


def seqs(entries: Sequence[Entry]) -> list[int]:
    return [entry.seq for entry in entries]


class TestList:
    """`page`: by last activity, with unread counts."""

    async def test_the_conversation_with_the_newest_entry_comes_first(self, world: World) -> None:
        for other in ["ben", "cat", "dan"]:
            await world.say("ann", other)
        await world.say("ben", "ann")
        page = await world.conversations.page("ann", None, 50)
        assert [item.conv for item in page.items] == [PAIR, "dm:ann:dan", "dm:ann:cat"]
        assert page.next is None

    async def test_an_item_has_the_others_name_the_last_entry_and_what_is_unread(
        self, world: World
    ) -> None:
        await world.profile_of("ann")
        for _ in range(3):
            last = await world.say("ann", "ben")
        await world.read(PAIR, "ben", delivered=3, displayed=1)
        (item,) = (await world.conversations.page("ben", None, 50)).items
        assert (item.name, item.last, item.unread, item.left) == ("Ann", last, 2, False)
        assert (item.position.delivered, item.position.displayed) == (3, 1)

    async def test_somebody_without_a_profile_is_named_by_uid(self, world: World) -> None:
        await world.say("ann", "ben")
        (item,) = (await world.conversations.page("ann", None, 50)).items
        assert item.name == "ben"

    async def test_notes_to_oneself_are_named_by_oneself(self, world: World) -> None:
        await world.profile_of("ann")
        await world.say("ann", "ann")
        (item,) = (await world.conversations.page("ann", None, 50)).items
        assert (item.conv, item.name) == ("dm:ann:ann", "Ann")
        described = await world.conversations.one("ann", "dm:ann:ann")
        assert (described.name, described.members) == ("Ann", 1)

    async def test_pages_follow_each_other_without_gap_or_double(self, world: World) -> None:
        others = [f"uid{number:02}" for number in range(45)]
        for other in others:
            await world.say("ann", other)
        cursor, seen = None, list[str]()
        for _ in range(5):
            page = await world.conversations.page("ann", cursor, 10)
            seen += [item.conv for item in page.items]
            cursor = page.next
        assert cursor is None
        assert seen == [pair_conv("ann", other) for other in reversed(others)]

    async def test_a_full_last_page_has_no_next(self, world: World) -> None:
        for other in ["ben", "cat"]:
            await world.say("ann", other)
        assert (await world.conversations.page("ann", None, 2)).next is None
        assert (await world.conversations.page("ann", None, 1)).next is not None

    async def test_conversations_of_the_same_moment_are_all_listed(self, world: World) -> None:
        for other in ["ben", "cat", "dan"]:
            await world.say("ann", other)
            world.clock.advance(-1)
        first = await world.conversations.page("ann", None, 2)
        second = await world.conversations.page("ann", first.next, 2)
        convs = [item.conv for item in (*first.items, *second.items)]
        assert sorted(convs) == ["dm:ann:ben", "dm:ann:cat", "dm:ann:dan"]

    @pytest.mark.parametrize(
        "cursor", ["", "x", "%%%", "!!!!", "w7w", "ünö", "9" * 5_000, "NTp4", "NTpncm91cF8A"]
    )
    async def test_what_is_no_cursor_is_refused(self, world: World, cursor: str) -> None:
        await world.say("ann", "ben")
        assert await code_of(world.conversations.page("ann", cursor, 50)) is Code.BAD_REQUEST

    async def test_who_has_none_has_an_empty_list(self, world: World) -> None:
        await world.say("ann", "ben")
        page = await world.conversations.page("cat", None, 50)
        assert (page.items, page.next) == ([], None)

    async def test_one_that_was_left_stays_at_its_own_depart_with_nothing_unread(
        self, world: World
    ) -> None:
        await world.group(GROUP, "ann", "ben", name="Team")
        await world.write(GROUP, "ann")
        depart = await world.depart(GROUP, "ben")
        await world.say("ann", "ben")
        for _ in range(3):
            await world.write(GROUP, "ann")
        direct, group = (await world.conversations.page("ben", None, 50)).items
        assert direct.conv == PAIR
        assert (group.conv, group.name, group.last) == (GROUP, "Team", depart)
        assert (group.left, group.unread, group.last.n) == (True, 0, 1)

    async def test_who_came_in_late_has_nothing_unread_from_before(self, world: World) -> None:
        await world.group(GROUP, "ann")
        for _ in range(3):
            await world.write(GROUP, "ann")
        await world.join(GROUP, "ben")
        await world.write(GROUP, "ann")
        (item,) = (await world.conversations.page("ben", None, 50)).items
        assert (item.last.n, item.unread) == (4, 1)


class TestOne:
    """`one`: what a conversation is."""

    async def test_a_member_learns_how_many_there_are_and_its_own_role(self, world: World) -> None:
        await world.group(GROUP, "ann", "ben", "cat", name="Team")
        described = await world.conversations.one("ann", GROUP)
        assert (described.name, described.members, described.role) == ("Team", 3, "admin")

    async def test_a_group_without_a_name_is_called_by_its_id(self, world: World) -> None:
        await world.group(GROUP, "ann")
        assert (await world.conversations.one("ann", GROUP)).name == GROUP

    async def test_who_left_learns_its_name_alone(self, world: World) -> None:
        await world.group(GROUP, "ann", "ben", name="Team")
        await world.depart(GROUP, "ben")
        await world.regroup(Group(GROUP, "Crew", "file-1", announcements=True))
        described = await world.conversations.one("ben", GROUP)
        assert described == Described(GROUP, "Crew", None, "", None)

    @pytest.mark.parametrize(
        "conv",
        ["dm:ann:zoe", PAIR, "dm:ben:ann", "dm:ben:ben", "group_none", GROUP, "user:ben", "", "x"],
    )
    async def test_one_that_one_was_never_in_is_the_same_as_one_that_is_not(
        self, world: World, conv: str
    ) -> None:
        await world.say("ann", "ben")
        await world.group(GROUP, "ann")
        for call in (
            world.conversations.one("zac", conv),
            world.history.before("zac", conv, None, 50),
            world.history.after("zac", conv, 0, 50),
            world.readers.members("zac", conv, "", 50),
            world.readers.of_entry("zac", conv, 1, "", 50),
        ):
            assert await code_of(call) is Code.NOT_A_MEMBER

    async def test_the_own_user_log_is_no_conversation_beside_that(self, world: World) -> None:
        await world.group(GROUP, "ann", "ben")
        assert await code_of(world.conversations.one("ben", "user:ben")) is Code.NOT_A_MEMBER
        present = world.readers.members("ben", "user:ben", "", 50)
        assert await code_of(present) is Code.NOT_A_MEMBER


class TestReaders:
    """`members` and `of_entry`: who is there, and how far they are."""

    async def test_present_members_come_by_uid_in_pages(self, world: World) -> None:
        await world.profile_of("ben")
        await world.group(GROUP, "cat", "ann", "ben", "dan", "eve")
        await world.depart(GROUP, "dan")
        first = await world.readers.members("cat", GROUP, "", 2)
        assert [(member.uid, member.name) for member in first.items] == [
            ("ann", "ann"), ("ben", "Ben"),
        ]  # fmt: skip
        rest = await world.readers.members("cat", GROUP, first.next or "", 50)
        assert [(member.uid, member.role) for member in rest.items] == [
            ("cat", "admin"), ("eve", "member"),
        ]  # fmt: skip
        assert rest.next is None

    async def test_since_is_the_entry_that_brought_them_in(self, world: World) -> None:
        await world.group(GROUP, "ann")
        await world.write(GROUP, "ann")
        await world.join(GROUP, "ben")
        page = await world.readers.members("ben", GROUP, "", 50)
        assert [(member.uid, member.since) for member in page.items] == [("ann", 1), ("ben", 3)]

    async def test_what_is_no_uid_is_no_place_to_go_on_from(self, world: World) -> None:
        await world.group(GROUP, "ann")
        assert await code_of(world.readers.members("ann", GROUP, "a b", 50)) is Code.BAD_REQUEST

    async def test_who_left_is_told_neither_members_nor_readers(self, world: World) -> None:
        await world.group(GROUP, "ann", "ben")
        await world.depart(GROUP, "ben")
        assert await code_of(world.readers.members("ben", GROUP, "", 50)) is Code.NOT_A_MEMBER
        of_entry = world.readers.of_entry("ben", GROUP, 1, "", 50)
        assert await code_of(of_entry) is Code.NOT_A_MEMBER

    async def test_everybody_but_the_author_is_a_reader_of_a_message(self, world: World) -> None:
        await world.group(GROUP, "ann", "ben", "cat")
        await world.write(GROUP, "ann")
        await world.read(GROUP, "ben", delivered=2, displayed=2)
        await world.read(GROUP, "cat", delivered=2)
        page = await world.readers.of_entry("ann", GROUP, 2, "", 50)
        assert list(page.items) == [Reader("ben", 2, 2), Reader("cat", 2, 0)]

    async def test_the_first_message_of_a_pair_has_its_other_as_reader(self, world: World) -> None:
        await world.say("ann", "ben")
        await world.read(PAIR, "ben", delivered=1)
        page = await world.readers.of_entry("ann", PAIR, 1, "", 50)
        assert list(page.items) == [Reader("ben", 1, 0)]

    async def test_who_came_in_later_is_no_reader_of_what_was_before(self, world: World) -> None:
        await world.group(GROUP, "ann", "ben")
        await world.write(GROUP, "ann")
        await world.join(GROUP, "cat")
        page = await world.readers.of_entry("ann", GROUP, 2, "", 50)
        assert [reader.uid for reader in page.items] == ["ben"]

    async def test_an_entry_one_cannot_see_has_no_readers(self, world: World) -> None:
        await world.group(GROUP, "ann")
        await world.write(GROUP, "ann")
        await world.join(GROUP, "ben")
        for seq in (0, 1, 2, 99):
            of_entry = world.readers.of_entry("ben", GROUP, seq, "", 50)
            assert await code_of(of_entry) is Code.NOT_FOUND

    async def test_nobody_sees_the_displays_of_who_turned_display_receipts_off(
        self, world: World
    ) -> None:
        await world.profile_of("ben", display_receipts=False)
        await world.group(GROUP, "ann", "ben", "cat")
        await world.write(GROUP, "ann")
        for uid in ("ben", "cat"):
            await world.read(GROUP, uid, delivered=2, displayed=2)
        page = await world.readers.of_entry("ann", GROUP, 2, "", 50)
        assert list(page.items) == [Reader("ben", 2, 0), Reader("cat", 2, 2)]

    async def test_who_turned_them_off_sees_nobody_elses_but_its_own(self, world: World) -> None:
        await world.profile_of("ben", display_receipts=False)
        await world.group(GROUP, "ann", "ben", "cat")
        await world.write(GROUP, "ann")
        for uid in ("ben", "cat"):
            await world.read(GROUP, uid, delivered=2, displayed=2)
        page = await world.readers.of_entry("ben", GROUP, 2, "", 50)
        assert list(page.items) == [Reader("ben", 2, 2), Reader("cat", 2, 0)]
