"""More was missed than a connection brings back: the place is kept, what is missing is fetched."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.e2e.elsewhere import write_elsewhere
from tests.e2e.person import Person
from tests.servers import Server

OLD = 60
MISSED = 70
BROUGHT = 10
"""The last of the missed that come by themselves."""

Pair = tuple[Person, Person]

_pairs = itertools.count()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that brings little of what was missed."""
    data = tmp_path_factory.mktemp("data")
    with Server(data, "--backlog-entries", str(BROUGHT)) as server:
        yield server


@pytest.fixture
def pair(browser: Browser, server: Server) -> Iterator[Pair]:
    """Ann has written much to Bob, who has it open at its end."""
    number = next(_pairs)
    ann = Person.with_account(browser, server.url, f"ann{number}", "Ann")
    bob = Person.with_account(browser, server.url, f"bob{number}", "Bob")
    ann.start_with(bob, "Bob")
    write_elsewhere(server, ann, bob.uid, [f"old {number}." for number in range(1, OLD + 1)])
    bob.conversation("Ann").click()
    expect(ann.message(f"old {OLD}.")).to_contain_text("Read")
    yield ann, bob
    ann.leave()
    bob.leave()


def _miss(server: Server, pair: Pair) -> None:
    ann, bob = pair
    bob.context.set_offline(True)
    expect(bob.status).to_have_text("Offline. Messages will be sent later")
    missed = [f"missed {number}." for number in range(1, MISSED + 1)]
    write_elsewhere(server, ann, bob.uid, missed)
    expect(ann.message(f"missed {MISSED}.")).to_contain_text("Sent")
    bob.context.set_offline(False)
    expect(bob.status).to_have_count(0)


def test_who_is_at_the_end_sees_where_what_was_missed_begins(server: Server, pair: Pair) -> None:
    ann, bob = pair
    ann.write("seen.")
    expect(ann.message("seen.")).to_contain_text("Read")
    _miss(server, pair)
    expect(ann.message(f"missed {MISSED}.")).to_contain_text("Read")
    expect(bob.message(f"missed {MISSED}.")).to_be_in_viewport()
    expect(bob.page).to_have_title("webchat")
    bob.page.get_by_role("button", name=f"{MISSED} new, go to the first").click()
    expect(bob.message("missed 1.")).to_be_in_viewport()
    expect(bob.log.get_by_text("New", exact=True)).to_be_in_viewport()
    assert _top(bob.message("seen.")) < _top(bob.log.get_by_text("New", exact=True))


def _top(place: Locator) -> float:
    box = place.bounding_box()
    assert box is not None
    return box["y"]


def _numbers(person: Person) -> list[int]:
    found = re.findall(r"missed (\d+)\.", person.log.inner_text())
    return [int(number) for number in found]


def test_who_reads_older_messages_keeps_the_place_and_reads_on_without_a_gap(
    server: Server, pair: Pair
) -> None:
    ann, bob = pair
    bob.log.hover()
    mark = bob.message("old 20.")
    while mark.count() == 0:
        bob.page.mouse.wheel(0, -500)
    mark.scroll_into_view_if_needed()
    before = _top(mark)
    _miss(server, pair)
    expect(bob.page).to_have_title(f"({MISSED}) webchat")
    expect(bob.page.get_by_role("button", name="New messages")).to_be_visible()
    expect(bob.page.get_by_role("button", name="new, go to")).to_have_count(0)
    assert abs(_top(mark) - before) <= 1
    expect(ann.message("missed 1.")).to_contain_text("Delivered")
    while bob.message(f"missed {MISSED}.").count() == 0:
        bob.page.mouse.wheel(0, 1500)
    assert _numbers(bob) == list(range(1, MISSED + 1))
    bob.message(f"missed {MISSED}.").scroll_into_view_if_needed()
    expect(ann.message(f"missed {MISSED}.")).to_contain_text("Read")
    expect(bob.page).to_have_title("webchat")
