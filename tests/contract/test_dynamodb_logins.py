"""Logins of a DynamoDB store that end, and kept receipts that are taken, while others look, and
while the table fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
import pytest

from tests.contract.dynamodb_nodes import FaultyTable, Node, timed_out
from tests.contract.late_table import LateTable
from tests.contract.plain_table import PlainTable
from tests.memory import ManualClock
from webchat.adapters.dynamodb import DynamoSettings, keys
from webchat.adapters.dynamodb.steady import key_of
from webchat.adapters.dynamodb.table import Expect, Failed, Item, Key, Page, Span
from webchat.adapters.memory import LoopClock
from webchat.errors import WebchatError
from webchat.model import Login

DAY_MS = 86_400_000
HASHES = {"phone": b"1", "laptop": b"2", "tablet": b"3"}


Happens = Callable[[], Awaitable[None]]


class BusyTable(PlainTable):
    """Before the answer to a query, or to a removal, something else happens, once."""

    after_query: Happens | None = None
    after_delete: Happens | None = None

    async def query(self, span: Span, limit: int, after: Key | None = None) -> Page:
        page = await super().query(span, limit, after)
        happens, self.after_query = self.after_query, None
        if happens is not None:
            await happens()
        return page

    async def delete(self, key: Key, expect: Expect) -> None:
        await super().delete(key, expect)
        happens, self.after_delete = self.after_delete, None
        if happens is not None:
            await happens()


@pytest.fixture
async def node() -> Node:
    """A node on a table in which ann is logged in three times."""
    made = Node(FaultyTable(BusyTable()), DynamoSettings("nowhere", "none"), ManualClock())
    for login_id, token_hash in HASHES.items():
        await made.logins.add(token_hash, Login(login_id, "ann", 0, 0, 2**53))
    return made


async def logged_in(node: Node) -> set[str]:
    return {login.id for login in await node.logins.of_user("ann")}


@pytest.mark.parametrize(
    ("login_id", "left"), [("phone", {"laptop", "tablet"}), ("", {"tablet"})], ids=["one", "all"]
)
async def test_whoever_is_told_last_of_ended_logins_finds_none_of_them(
    node: Node, login_id: str, left: set[str]
) -> None:
    found: list[set[str]] = []

    async def look(item: Item) -> None:
        if item["pk"] == keys.REVOCATIONS:
            found.append(await logged_in(node))

    node.faulty.after_put = look
    if login_id:
        await node.logins.revoke("ann", login_id)
    else:
        await node.logins.revoke_all("ann", except_login="tablet")
    assert found[-1] == left


async def test_a_login_that_ended_untold_is_told_of_when_its_end_is_asked_for_again(
    node: Node,
) -> None:
    async def refuse_if_gone(item: Item) -> None:
        if item["pk"] == keys.REVOCATIONS and "phone" not in await logged_in(node):
            raise Failed("no", may_help=False)

    node.faulty.before_put = refuse_if_gone
    with pytest.raises(WebchatError):
        await node.logins.revoke("ann", "phone")
    node.faulty.before_put = None
    last, _ = await node.logins.revocations(None)
    assert await node.logins.revoke("ann", "phone")
    _, told = await node.logins.revocations(last)
    assert {each.uid for each in told} == {"ann"}
    assert not await node.logins.revoke("ann", "phone")


async def test_a_login_that_ends_while_it_is_asked_which_did_is_told_of_the_next_time(
    node: Node,
) -> None:
    await node.logins.revoke("ann", "phone")
    last, _ = await node.logins.revocations(None)

    async def end_one_more() -> None:
        await node.logins.revoke("ann", "laptop")

    node.faulty.table.after_query = end_one_more
    last, told = await node.logins.revocations(last)
    assert told == []
    _, told = await node.logins.revocations(last)
    assert {each.uid for each in told} == {"ann"}


async def test_before_a_login_has_ended_there_is_nothing_to_be_told_of(node: Node) -> None:
    assert await node.logins.revocations(None) == (0, [])
    assert await node.logins.revocations(0) == (0, [])


async def test_a_login_added_while_its_users_logins_are_ended_is_one_that_can_be_ended(
    node: Node,
) -> None:
    other = Node(FaultyTable(node.faulty.table), DynamoSettings("nowhere", "none"), ManualClock())

    async def end_all(item: Item) -> None:
        if item["pk"] == keys.token(b"4").pk:
            await other.logins.revoke_all("ann")

    node.faulty.before_put = end_all
    await node.logins.add(b"4", Login("watch", "ann", 0, 0, 2**53))
    assert (await node.logins.find(b"4") is not None) == ("watch" in await logged_in(node))
    await other.logins.revoke_all("ann")
    assert await node.logins.find(b"4") is None


async def test_a_login_whose_first_write_comes_late_stays_as_used_or_ended_as_it_was() -> None:
    table = LateTable(lambda item: item["pk"] == keys.token(b"1").pk)
    node = Node(FaultyTable(table), DynamoSettings("nowhere", "none", pause_ms=1), LoopClock())
    phone = Login("phone", "ann", 0, 0, 2**53)
    await node.logins.add(b"1", phone)
    await node.logins.touch([used := msgspec.structs.replace(phone, last_used_at=5)])
    await table.arrive()
    assert await node.logins.find(b"1") == used
    assert await node.logins.revoke("ann", "phone")
    await table.arrive()
    assert await node.logins.find(b"1") is None
    assert await logged_in(node) == set()


async def test_a_use_that_was_decided_on_before_its_login_ended_does_not_bring_it_back(
    node: Node,
) -> None:
    async def end_it(item: Item) -> None:
        if item["pk"] == keys.token(b"1").pk:
            node.faulty.before_put = None
            await node.logins.revoke("ann", "phone")

    node.faulty.before_put = end_it
    await node.logins.touch([Login("phone", "ann", 0, 5, 2**53)])
    assert await node.logins.find(b"1") is None


async def test_a_login_leaves_the_same_in_the_table_however_often_it_is_used(node: Node) -> None:
    async def stored() -> set[Key]:
        return {key_of(item) for item in (await node.faulty.table.scan(1_000)).items}

    before = await stored()
    for at in range(1, 10):
        await node.logins.touch([Login("phone", "ann", 0, at, 2**53 + at)])
    assert await stored() == before


async def test_a_login_that_was_used_is_forgotten_when_it_expires_since_then() -> None:
    node = Node(FaultyTable(PlainTable()), DynamoSettings("nowhere", "none"), ManualClock())
    await node.logins.add(b"1", Login("phone", "ann", 0, 0, 10))
    for now, until in ((5, 20), (15, 30)):
        await node.logins.touch([used := Login("phone", "ann", 0, now, until)])
        await node.logins.forget_expired(until - 1)
        assert await node.logins.find(b"1") == used
    await node.logins.forget_expired(30)
    assert (await node.faulty.table.scan(1_000)).items == []


async def test_a_login_that_is_used_while_it_is_being_forgotten_lives_on_until_it_expires() -> None:
    node = Node(FaultyTable(PlainTable()), DynamoSettings("nowhere", "none"), ManualClock())
    await node.logins.add(b"1", Login("phone", "ann", 0, 0, 10))
    used = Login("phone", "ann", 0, 9, 20)

    async def use(_: Key) -> None:
        node.faulty.before_delete = None
        await node.logins.touch([used])

    node.faulty.before_delete = use
    await node.logins.forget_expired(10)
    assert await node.logins.find(b"1") == used
    await node.logins.forget_expired(20)
    assert (await node.faulty.table.scan(1_000)).items == []


async def test_of_an_ended_login_nothing_is_left_after_a_day(node: Node) -> None:
    await node.logins.revoke_all("ann")
    ended_at = ManualClock().now_ms()
    for later, left in ((DAY_MS - 1, 3), (DAY_MS, 0)):
        await node.logins.forget_expired(ended_at + later)
        page = await node.faulty.table.scan(1_000)
        assert sum(str(item["pk"]).startswith(keys.TOKEN) for item in page.items) == left


async def test_who_finds_receipts_that_another_takes_gets_those_that_are_left(node: Node) -> None:
    await node.kept.keep("ann", [b"1", b"2", b"3"], newest=10)
    other = Node(FaultyTable(node.faulty.table), DynamoSettings("nowhere", "none"), ManualClock())
    others: list[bytes] = []

    async def take_before(_: Key) -> None:
        node.faulty.before_delete = None
        others.extend(await other.kept.take("ann", 2))

    node.faulty.before_delete = take_before
    assert await node.kept.take("ann", 1) == [b"3"]
    assert others == [b"1", b"2"]


async def test_receipts_that_cannot_be_removed_stay_kept_and_are_asked_for_again(
    node: Node,
) -> None:
    await node.kept.keep("ann", [b"1"], newest=10)

    async def refuse(_: Key) -> None:
        raise Failed("no", may_help=False)

    node.faulty.before_delete = refuse
    with pytest.raises(WebchatError):
        await node.kept.take("ann", 10)
    node.faulty.before_delete = None
    assert await node.kept.take("ann", 10) == [b"1"]


async def test_a_receipt_that_is_kept_while_the_one_before_is_being_removed_stays() -> None:
    table = BusyTable()
    node = Node(FaultyTable(table), DynamoSettings("nowhere", "none", pause_ms=1), LoopClock())
    await node.kept.keep("ann", [b"1"], newest=10)

    async def keep_one_more() -> None:
        await node.kept.keep("ann", [b"2"], newest=10)
        raise timed_out()

    table.after_delete = keep_one_more
    assert b"2" in await node.kept.take("ann", 10)
    assert await node.kept.take("ann", 10) == []
