"""Long conversations: older messages by scrolling, the place kept, the page never full."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import Browser, Locator, Route, expect

from tests.e2e.conftest import Newcomer
from tests.e2e.elsewhere import write_elsewhere
from tests.e2e.person import Person
from tests.servers import Server

MESSAGES = 105


@pytest.fixture(scope="module")
def writer(browser: Browser, shared_server: Server) -> Iterator[Person]:
    """Somebody with many notes to herself."""
    writer = Person.with_account(browser, shared_server.url, "writer", "Writer")
    writer.start_with(writer, "Writer")
    notes = [f"note {number}." for number in range(1, MESSAGES + 1)]
    write_elsewhere(shared_server, writer, writer.uid, notes)
    expect(writer.message(f"note {MESSAGES}.")).to_contain_text("Sent")
    yield writer
    writer.leave()


@pytest.fixture
def ann(writer: Person) -> Iterator[Person]:
    """The same person at a fresh page, which begins at the newest message."""
    page = writer.context.new_page()
    page.goto(writer.page.url)
    ann = Person(writer.uid, writer.name, writer.context, page)
    expect(ann.messages.last).to_be_in_viewport()
    yield ann
    page.close()


def _top(message: Locator) -> float:
    box = message.bounding_box()
    assert box is not None
    return box["y"]


# As where the page has to see to the box's height. It is left to the browser to tell of a scroll.
_WITHOUT_FIELD_SIZING: Final = """box => {
  CSS.supports = () => false;
  box.style.setProperty('field-sizing', 'fixed');
}"""
_FROM_BOTTOM: Final = """log => new Promise(resolve => requestAnimationFrame(() =>
  requestAnimationFrame(() => resolve(log.scrollHeight - log.scrollTop - log.clientHeight))))"""


def test_a_conversation_opens_at_its_newest_message_and_stays_there(ann: Person) -> None:
    expect(ann.message(f"note {MESSAGES}.")).to_be_in_viewport()
    expect(ann.message("note 1.")).to_have_count(0)
    ann.box.evaluate(_WITHOUT_FIELD_SIZING)
    for line in "one", "two", "three", "four":
        ann.box.press_sequentially(line)
        ann.box.press("Shift+Enter")
    assert ann.log.evaluate(_FROM_BOTTOM) <= 1
    expect(ann.page.get_by_role("button", name="To the newest")).to_have_count(0)
    ann.box.fill("")


def test_scrolling_up_brings_older_messages_down_to_the_first(ann: Person) -> None:
    _scroll_to_the_first(ann)
    expect(ann.message("note 1.")).to_be_in_viewport()
    texts = ann.messages.all_inner_texts()[:MESSAGES]
    assert [f"note {n}." in text for n, text in enumerate(texts, 1)] == [True] * MESSAGES


def _scroll_to_the_first(person: Person) -> None:
    person.log.hover()
    while person.message("note 1.").count() == 0:
        person.page.mouse.wheel(0, -1500)
        expect(person.log).to_have_attribute("aria-busy", "false")
    person.message("note 1.").scroll_into_view_if_needed()


def test_the_log_scrolls_and_the_page_stays(ann: Person) -> None:
    ann.messages.first.scroll_into_view_if_needed()
    ann.page.get_by_role("heading", level=1).hover()
    ann.page.mouse.wheel(0, 400)
    assert ann.page.evaluate("document.scrollingElement.scrollHeight <= innerHeight")


def test_older_messages_that_do_not_come_are_told_of(ann: Person) -> None:
    ann.page.route("**/events?*", lambda route: route.abort())
    first = ann.messages.first.get_attribute("data-seq")
    ann.messages.first.scroll_into_view_if_needed()
    expect(ann.log.get_by_role("alert")).to_have_text("Older messages could not be fetched.")
    ann.page.unroute_all()
    ann.page.get_by_role("button", name="Fetch them").click()
    expect(ann.log.get_by_role("alert")).to_have_count(0)
    expect(ann.log).to_be_focused()
    expect(ann.messages.first).not_to_have_attribute("data-seq", str(first))


def test_who_comes_back_reads_on_where_they_were(ann: Person) -> None:
    _scroll_to_the_first(ann)
    mark = ann.message("note 1.")
    before = _top(mark)
    ann.choose_from_account("Settings")
    expect(ann.log).to_have_count(0)
    ann.conversation("Writer").click()
    expect(mark).to_be_in_viewport()
    assert abs(_top(mark) - before) <= 1
    ann.page.get_by_role("button", name="To the newest").click()
    expect(ann.messages.last).to_be_in_viewport()
    ann.choose_from_account("Settings")
    ann.conversation("Writer").click()
    expect(ann.messages.last).to_be_in_viewport()


def test_the_ends_of_a_long_log_are_one_key_away(ann: Person) -> None:
    first, last = ann.message("note 1."), ann.message(f"note {MESSAGES}.")
    _scroll_to_the_first(ann)
    ann.choose_from_account("Settings")
    ann.conversation("Writer").click()
    expect(first).to_be_in_viewport()
    ann.log.press("End")
    expect(last).to_be_in_viewport()
    expect(ann.page.get_by_role("button", name="To the newest")).to_have_count(0)
    expect(ann.log).to_be_focused()
    ann.log.press("Home")
    expect(first).to_be_in_viewport()
    expect(ann.log).to_be_focused()


def test_what_could_not_be_fetched_is_not_read_and_comes_with_the_connection(
    newcomer: Newcomer,
) -> None:
    ann, bob = newcomer("Ann"), newcomer("Bob")
    bob.page.goto("about:blank")
    ann.start_with(bob, "Bob")
    ann.write("For later")
    expect(ann.message("For later")).to_contain_text("Sent")
    bob.page.route("**/events?*", lambda route: route.abort())
    bob.page.goto(f"/c/dm:{ann.uid}:{bob.uid}")
    expect(bob.log.get_by_role("alert")).to_have_text("The messages could not be fetched.")
    ann.write("And this")
    expect(bob.messages).to_have_count(1)
    expect(bob.page).to_have_title("(2) webchat")
    bob.context.set_offline(True)
    expect(bob.status).to_be_visible()
    bob.page.unroute_all()
    bob.context.set_offline(False)
    expect(bob.messages).to_contain_text(["For later", "And this"])
    expect(ann.message("And this")).to_contain_text("Read")


def test_scrolling_goes_on_while_older_messages_are_fetched(ann: Person) -> None:
    under_way: list[Route] = []
    ann.page.route("**/events?*", lambda route: under_way.append(route))
    ann.messages.first.scroll_into_view_if_needed()
    expect(ann.log).to_have_attribute("aria-busy", "true")
    button = ann.page.get_by_role("button", name="To the newest")
    expect(button).to_be_visible()
    ann.messages.last.scroll_into_view_if_needed()
    expect(button).to_have_count(0)
    under_way[0].continue_()
    expect(ann.log).to_have_attribute("aria-busy", "false")
    expect(ann.messages.last).to_be_in_viewport()


def test_a_menu_whose_message_scrolls_away_gives_the_focus_back(
    ann: Person, writer: Person
) -> None:
    marked = ann.messages.last.get_attribute("data-seq")
    message = ann.log.locator(f"[data-seq='{marked}']")
    opener = message.get_by_role("button", name="Message actions")
    opener.press("Enter")
    item = ann.page.get_by_role("menuitem", name="Reply")
    expect(item).to_be_visible()
    before = _top(item) - _top(opener)
    writer.write("meanwhile")
    expect(ann.message("meanwhile").last).to_be_in_viewport()
    assert ann.log.evaluate(_FROM_BOTTOM) <= 1
    assert abs(_top(item) - _top(opener) - before) <= 1
    ann.log.hover()
    ann.page.mouse.wheel(0, -300)
    expect(ann.page.get_by_role("menu")).to_have_count(0)
    expect(opener).to_be_focused()


def test_a_menu_stays_beside_its_message_where_there_is_room_for_all(newcomer: Newcomer) -> None:
    ann, bob = newcomer("Ann"), newcomer("Bob")
    ann.start_with(bob, "Bob")
    ann.write("first")
    opener = ann.message("first").get_by_role("button", name="Message actions")
    opener.click()
    item = ann.page.get_by_role("menuitem", name="Reply")
    expect(item).to_be_visible()
    at, before = _top(opener), _top(item) - _top(opener)
    bob.conversation("Ann").click()
    bob.write("second")
    expect(ann.message("second")).to_be_in_viewport()
    ann.log.evaluate(_FROM_BOTTOM)
    assert _top(opener) < at
    assert abs(_top(item) - _top(opener) - before) <= 1
    ann.page.keyboard.press("Escape")
    ann.write("\n".join(_lines(1, 100)))
    ann.message("line 1.").get_by_role("time").click(button="right")
    ann.log.evaluate(_FROM_BOTTOM)
    expect(item).to_be_in_viewport()


def test_the_place_is_kept_while_older_messages_come_in(ann: Person) -> None:
    first = ann.messages.first.get_attribute("data-seq")
    mark = ann.log.locator(f"[data-seq='{first}']")
    mark.scroll_into_view_if_needed()
    expect(ann.messages.first).not_to_have_attribute("data-seq", str(first))
    expect(mark).to_be_in_viewport()


def test_a_new_message_does_not_move_who_reads_older_ones(ann: Person, writer: Person) -> None:
    _scroll_to_the_first(ann)
    mark = ann.message("note 1.")
    before = _top(mark)
    writer.write("news")
    button = ann.page.get_by_role("button", name="New messages")
    expect(button).to_be_visible()
    assert abs(_top(mark) - before) <= 1
    button.click()
    expect(ann.message("news")).to_be_in_viewport()
    expect(button).to_have_count(0)
    expect(ann.log).to_be_focused()


def _lines(first: int, last: int) -> list[str]:
    return [f"line {number}." for number in range(first, last + 1)]


def test_who_follows_a_reply_has_not_read_what_is_below(
    newcomer: Newcomer, shared_server: Server
) -> None:
    ann, bob = newcomer("Ann"), newcomer("Bob")
    ann.start_with(bob, "Bob")
    write_elsewhere(shared_server, ann, bob.uid, _lines(1, 60))
    bob.conversation("Ann").click()
    ann.choose_for("line 60.", "Reply")
    ann.write("see there")
    expect(bob.message("see there")).to_be_in_viewport()
    bob.log.hover()
    bob.page.mouse.wheel(0, -100)
    expect(bob.page.get_by_role("button", name="To the newest")).to_be_visible()
    write_elsewhere(shared_server, ann, bob.uid, _lines(62, 90))
    expect(ann.message("line 90.")).to_contain_text("Delivered")
    bob.message("see there").get_by_role("button", name="In reply to Ann: line 60.").click()
    expect(
        bob.message("line 60.").first.get_by_role("button", name="Message actions")
    ).to_be_focused()
    expect(ann.message("line 64.")).to_contain_text("Read")
    expect(ann.message("line 74.")).to_contain_text("Delivered")


def test_who_missed_much_is_led_to_the_first_of_it(
    newcomer: Newcomer, shared_server: Server
) -> None:
    ann, bob = newcomer("Ann"), newcomer("Bob")
    ann.start_with(bob, "Bob")
    write_elsewhere(shared_server, ann, bob.uid, _lines(1, 60))
    expect(bob.conversation("Ann")).to_contain_text("60 unread")
    bob.conversation("Ann").click()
    expect(bob.message("line 60.")).to_be_in_viewport()
    expect(bob.message("line 1.")).not_to_be_in_viewport()
    way = bob.page.get_by_role("button", name="60 new, go to the first")
    way.click()
    expect(bob.message("line 1.")).to_be_in_viewport()
    expect(bob.log.get_by_text("New", exact=True)).to_be_in_viewport()
    expect(bob.message("line 60.")).not_to_be_in_viewport()
    expect(way).to_have_count(0)
    menu = bob.message("line 1.").get_by_role("button", name="Message actions")
    expect(menu).to_be_focused()


def test_who_sees_all_that_is_new_is_led_nowhere(newcomer: Newcomer) -> None:
    ann, bob = newcomer("Ann"), newcomer("Bob")
    ann.start_with(bob, "Bob")
    ann.write("one.")
    ann.write("two.")
    expect(bob.conversation("Ann")).to_contain_text("2 unread")
    bob.conversation("Ann").click()
    expect(bob.log.get_by_text("New", exact=True)).to_be_in_viewport()
    expect(ann.message("two.")).to_contain_text("Read")
    expect(bob.page.get_by_role("button", name="new, go to")).to_have_count(0)


def test_a_quote_that_comes_late_does_not_move_who_reads(ann: Person) -> None:
    """The oldest messages on the page are made replies to one that is still to be fetched."""
    held: list[Route] = []

    def with_replies(route: Route) -> None:
        answer = route.fetch()
        page = answer.json()
        replies = [{**entry, "Refers": 1} for entry in page["items"][:10]]
        route.fulfill(response=answer, json={**page, "items": replies + page["items"][10:]})

    ann.page.route("**/events?*", with_replies)
    ann.page.route("**/events?before=2&*", lambda route: held.append(route))
    first = ann.messages.first.get_attribute("data-seq")
    mark = ann.log.locator(f"[data-seq='{first}']")
    with ann.page.expect_request("**/events?before=2&*"):
        mark.scroll_into_view_if_needed()
    expect(ann.messages.first).not_to_have_attribute("data-seq", str(first))
    before = _top(mark)
    (route,) = held
    route.continue_()
    expect(ann.log.get_by_role("button", name="In reply to").first).to_be_attached()
    expect(mark).to_be_in_viewport()
    assert abs(_top(mark) - before) <= 1
