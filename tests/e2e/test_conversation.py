"""Two people talk: found, sent, delivered, read, counted."""

from __future__ import annotations

import re

from playwright.sync_api import Route, expect

from tests.e2e.conftest import Newcomer
from tests.e2e.elsewhere import write_elsewhere
from tests.e2e.person import Person
from tests.servers import Server


def test_a_message_is_sent_then_delivered_then_read(newcomer: Newcomer) -> None:
    ann, bob = newcomer("Ann"), newcomer("Bob")
    ann.start_with(bob, "Bob")
    ann.write("Are you there?")
    expect(ann.message("Are you there?")).to_contain_text("Delivered")
    bob.conversation("Ann").click()
    expect(bob.message("Are you there?")).to_be_visible()
    expect(ann.message("Are you there?")).to_contain_text("Read")


def test_who_is_away_gets_it_when_they_come_back(newcomer: Newcomer) -> None:
    ann, bob = newcomer("Ann"), newcomer("Bob")
    bob.page.goto("about:blank")
    ann.start_with(bob, "Bob")
    ann.write("For later")
    expect(ann.message("For later")).to_contain_text("Sent")
    bob.page.goto("/")
    expect(bob.conversation("Ann")).to_contain_text("For later")
    expect(ann.message("For later")).to_contain_text("Delivered")


def test_messages_arrive_in_the_order_they_were_written(newcomer: Newcomer) -> None:
    ann, bob = newcomer("Ann"), newcomer("Bob")
    ann.start_with(bob, "Bob")
    texts = [f"number {n}." for n in range(25)]
    for text in texts:
        ann.write(text)
    bob.conversation("Ann").click()
    for person in (ann, bob):
        expect(person.messages).to_contain_text(texts)


def test_unread_messages_are_counted_until_they_are_read(newcomer: Newcomer) -> None:
    ann, bob = newcomer("Ann"), newcomer("Bob")
    ann.start_with(bob, "Bob")
    for text in ("one", "two", "three"):
        ann.write(text)
    expect(bob.page).to_have_title("(3) webchat")
    expect(bob.conversations.get_by_role("link", name="3 unread")).to_contain_text("three")
    bob.conversation("Ann").click()
    expect(bob.page).to_have_title("webchat")
    expect(bob.conversation("Ann")).not_to_contain_text("unread")
    expect(bob.log.get_by_text("New", exact=True)).to_be_visible()


def test_reading_on_one_device_clears_the_count_on_the_other(newcomer: Newcomer) -> None:
    ann, bob = newcomer("Ann"), newcomer("Bob")
    second = bob.context.new_page()
    second.goto("/")
    ann.start_with(bob, "Bob")
    ann.write("hello")
    expect(second).to_have_title("(1) webchat")
    bob.conversation("Ann").click()
    expect(second).to_have_title("webchat")


def test_the_list_shows_the_newest_text_and_the_newest_conversation_first(
    newcomer: Newcomer,
) -> None:
    ann, bob, cleo = newcomer("Ann"), newcomer("Bob"), newcomer("Cleo")
    ann.start_with(bob, "Bob")
    ann.write("to bob")
    ann.start_with(cleo, "Cleo")
    ann.write("to cleo")
    links = ann.conversations.get_by_role("link")
    expect(links).to_have_text([re.compile("Cleo.*to cleo"), re.compile("Bob.*to bob")])
    bob.conversation("Ann").click()
    ann.conversation("Cleo").focus()
    bob.write("from bob")
    expect(links).to_have_text([re.compile("Bob.*from bob"), re.compile("Cleo.*to cleo")])
    expect(ann.conversation("Cleo")).to_be_focused()


_COUNT_CHANGES = """list => {
  window.changes = 0;
  const count = (changes) => { window.changes += changes.length; };
  const what = { attributes: true, characterData: true, childList: true, subtree: true };
  new MutationObserver(count).observe(list, what);
}"""


def test_the_list_is_drawn_anew_only_where_something_is_new(newcomer: Newcomer) -> None:
    ann = newcomer("Ann")
    for name in ("First", "Second", "Third"):
        ann.make_group(name)
    ann.conversations.evaluate(_COUNT_CHANGES)
    ann.box.press_sequentially("typed")
    assert ann.page.evaluate("window.changes") == 0
    second = ann.conversations.get_by_role("listitem").nth(1)
    second.evaluate(_COUNT_CHANGES)
    ann.box.press("Enter")
    expect(ann.message("typed")).to_contain_text("Sent")
    expect(ann.conversation("Third")).to_contain_text("typed")
    expect(second).to_contain_text("Second")


# Types and counts in one task of the page, so that nothing else is counted.
_LOOKS_OF_TYPING = """async (box) => {
    const open = location.pathname.slice("/c/".length);
    const get = Map.prototype.get;
    let looks = 0;
    Map.prototype.get = function (key) {
        if (String(key).startsWith("group_") && key !== open) looks += 1;
        return get.call(this, key);
    };
    box.value += "g";
    box.dispatchEvent(new Event("input", { bubbles: true }));
    for (let turn = 0; turn < 20; turn += 1) await null;
    Map.prototype.get = get;
    return looks;
}"""


def test_typing_costs_nothing_for_other_conversations(newcomer: Newcomer) -> None:
    ann = newcomer("Ann")
    for name in ("First", "Second", "Third"):
        ann.make_group(name)
    ann.page.reload()
    expect(ann.conversations.get_by_role("listitem")).to_have_count(3)
    ann.box.press_sequentially("typin")
    assert ann.box.evaluate(_LOOKS_OF_TYPING) == 0
    expect(ann.box).to_have_value("typing")


def test_many_conversations_are_filtered_by_name(newcomer: Newcomer) -> None:
    ann = newcomer("Ann")
    ann.start_with(ann, "Ann")
    ann.write("a note")
    expect(ann.message("a note")).to_contain_text("Sent")

    def many(route: Route) -> None:
        answer = route.fetch()
        (notes,) = answer.json()["items"]
        groups = [{**notes, "ConvID": f"group_{at}", "name": f"Trip {at}"} for at in range(10)]
        route.fulfill(response=answer, json={"items": [notes, *groups], "next": None})

    searchbox = ann.page.get_by_role("searchbox", name="Filter conversations")
    expect(searchbox).to_have_count(0)
    ann.page.route("**/api/v1/conversations*", many)
    ann.page.goto("/")
    links = ann.conversations.get_by_role("link")
    expect(links).to_have_count(11)
    searchbox.fill("trip 7")
    expect(links).to_have_text([re.compile("Trip 7")])
    expect(ann.conversations.get_by_text("1 found")).to_be_attached()
    searchbox.press("Escape")
    expect(links).to_have_count(11)
    searchbox.fill("ann")
    searchbox.press("Enter")
    expect(ann.page.get_by_role("heading", level=1, name="Ann")).to_be_visible()
    expect(ann.box).to_be_focused()
    expect(links).to_have_count(11)


def test_addresses_are_real_and_what_is_sent_with_one_page_is_gone_from_the_other(
    newcomer: Newcomer,
) -> None:
    ann, bob = newcomer("Ann"), newcomer("Bob")
    ann.start_with(bob, "Bob")
    ann.write("to bob")
    ann.start_with(ann, "Ann")
    ann.page.go_back()
    expect(ann.page.get_by_role("heading", level=1, name="Bob")).to_be_visible()
    ann.page.go_forward()
    expect(ann.page.get_by_role("heading", level=1, name="Ann")).to_be_visible()
    ann.page.get_by_role("button", name="New conversation").click()
    expect(ann.page.get_by_role("dialog")).to_be_visible()
    ann.page.go_back()
    expect(ann.page.get_by_role("dialog")).to_have_count(0)
    ann.page.reload()
    expect(ann.message("to bob")).to_be_visible()
    second = ann.context.new_page()
    second.goto(ann.page.url)
    expect(second.get_by_role("heading", level=1, name="Bob")).to_be_visible()
    box = second.get_by_role("textbox", name="Message")
    ann.box.fill("once")
    expect(box).to_have_value("once")
    ann.box.press("Enter")
    expect(box).to_have_value("")


def test_an_address_that_is_no_conversation_of_ones_own_says_so(newcomer: Newcomer) -> None:
    ann = newcomer("Ann")
    for address in (
        "/c/dm:x:y",
        "/c/group_nowhere",
        f"/c/dm:{ann.uid}:nobody.at.all",
        "/c/rubbish",
    ):
        ann.page.goto(address)
        expect(ann.page.get_by_role("alert")).to_be_visible()


def test_a_conversation_that_could_not_be_fetched_comes_with_the_connection(
    newcomer: Newcomer,
) -> None:
    ann, bob = newcomer("Ann"), newcomer("Bob")
    refused: list[Route] = []

    def refuse(route: Route) -> None:
        refused.append(route)
        route.abort()

    ann.page.route("**/api/v1/users/*", refuse)
    ann.page.goto(f"/c/dm:{ann.uid}:{bob.uid}")
    expect(ann.page.get_by_role("alert")).to_contain_text("could not be fetched")
    ann.context.set_offline(True)
    expect(ann.status).to_be_visible()
    assert len(refused) < 10
    ann.page.unroute_all()
    ann.context.set_offline(False)
    expect(ann.page.get_by_role("heading", level=1, name="Bob")).to_be_visible()
    expect(ann.box).to_be_focused()


def test_what_arrives_while_nobody_looks_is_read_when_they_are_back(newcomer: Newcomer) -> None:
    ann, bob = newcomer("Ann"), newcomer("Bob")
    ann.start_with(bob, "Bob")
    ann.write("first")
    bob.conversation("Ann").click()
    expect(ann.message("first")).to_contain_text("Read")
    _look(bob, away=True)
    ann.write("second")
    expect(bob.message("second")).to_be_visible()
    expect(bob.page).to_have_title("(1) webchat")
    expect(ann.message("second")).to_contain_text("Delivered")
    _look(bob, away=False)
    expect(ann.message("second")).to_contain_text("Read")
    expect(bob.page).to_have_title("webchat")


def test_who_comes_back_to_older_messages_has_read_what_is_in_view(
    newcomer: Newcomer, shared_server: Server
) -> None:
    ann, bob = newcomer("Ann"), newcomer("Bob")
    ann.start_with(bob, "Bob")
    ann.write("before")
    bob.conversation("Ann").click()
    expect(ann.message("before")).to_contain_text("Read")
    _look(bob, away=True)
    numbers = [f"number {number}" for number in range(10, 40)]
    write_elsewhere(shared_server, ann, bob.uid, numbers)
    expect(bob.page).to_have_title("(30) webchat")
    bob.log.hover()
    bob.page.mouse.wheel(0, -600)
    expect(bob.message("number 39")).not_to_be_in_viewport()
    _look(bob, away=False)
    expect(ann.message("number 20")).to_contain_text("Read")
    expect(ann.message("number 39")).to_contain_text("Delivered")
    expect(bob.page).to_have_title(re.compile(r"^\((?!30\b)\d+\) webchat$"))


def _look(person: Person, *, away: bool) -> None:
    """Take the window's focus, or give it back; the browser itself always claims to have it."""
    focused, event = ("false", "blur") if away else ("true", "focus")
    person.page.evaluate(f"document.hasFocus = () => {focused}")
    person.page.evaluate(f"window.dispatchEvent(new Event('{event}'))")


# As behind a proxy that knows no WebSocket.
_NO_WEBSOCKET = """
window.WebSocket = class {
  constructor() { setTimeout(() => this.onerror?.(new Event("error"))); }
  close() {}
};
"""


def test_without_websockets_it_works_by_polling(newcomer: Newcomer) -> None:
    ann, bob = newcomer("Ann"), newcomer("Bob")
    bob.context.add_init_script(_NO_WEBSOCKET)
    bob.page.reload()
    ann.start_with(bob, "Bob")
    ann.write("over there?")
    bob.conversation("Ann").click()
    expect(ann.message("over there?")).to_contain_text("Read")
    bob.write("over here")
    expect(ann.message("over here")).to_be_visible()
