"""The network or the server goes away: nothing written is lost, nothing comes twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.e2e.conftest import Newcomer
from tests.e2e.person import Person
from tests.servers import Server


class Outage:
    """A server that can be stopped and comes back on the same port with the same data."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self.server = Server(data)
        self.url = self.server.url

    def stop(self) -> None:
        self.server.stop()

    def start(self) -> None:
        self.server = Server(self._data, port=self.server.port)


@pytest.fixture
def outage(tmp_path: Path) -> Iterator[Outage]:
    outage = Outage(tmp_path)
    yield outage
    outage.stop()


@pytest.fixture
def pair(browser: Browser, outage: Outage) -> Iterator[tuple[Person, Person]]:
    """Two people of that server in a conversation."""
    ann = Person.with_account(browser, outage.url, "ann", "Ann")
    bob = Person.with_account(browser, outage.url, "bob", "Bob")
    ann.start_with(bob, "Bob")
    ann.write("before")
    bob.conversation("Ann").click()
    expect(ann.message("before")).to_contain_text("Read")
    yield ann, bob
    ann.leave()
    bob.leave()


def test_messages_wait_for_the_server_and_arrive_in_order(
    outage: Outage, pair: tuple[Person, Person]
) -> None:
    ann, bob = pair
    outage.stop()
    expect(ann.status).to_have_text("Offline. Messages will be sent later")
    ann.box.fill("still bein")
    for text in ("one", "two", "three"):
        ann.write(text)
    expect(ann.message("three")).to_contain_text("Sending")
    shown = ann.messages.element_handles()
    outage.start()
    expect(ann.message("three")).to_contain_text("Read")
    assert all(message.evaluate("node => node.isConnected") for message in shown)  # heard once
    expect(ann.status).to_have_count(0)
    expect(bob.messages).to_contain_text(["before", "one", "two", "three"])


def test_what_is_being_written_stays_while_the_server_is_away(
    outage: Outage, pair: tuple[Person, Person]
) -> None:
    ann, _ = pair
    ann.box.fill("half a sent")
    outage.stop()
    expect(ann.status).to_be_visible()
    expect(ann.box).to_have_value("half a sent")
    outage.start()
    expect(ann.status).to_have_count(0)
    expect(ann.box).to_have_value("half a sent")


def test_what_waits_outlives_a_reload_and_is_sent_once(
    outage: Outage, pair: tuple[Person, Person]
) -> None:
    ann, bob = pair
    ann.context.set_offline(True)
    expect(ann.status).to_have_text("Offline. Messages will be sent later")
    ann.write("later one")
    ann.write("later two")
    expect(ann.message("later two")).to_contain_text("Sending")
    ann.page.goto("about:blank")
    ann.context.set_offline(False)
    ann.page.go_back()
    expect(bob.messages).to_contain_text(["before", "later one", "later two"])
    expect(ann.message("later two")).to_contain_text("Read")
    expect(ann.messages).to_have_count(3)


def test_a_page_that_stays_open_sends_what_a_closed_one_left(
    outage: Outage, pair: tuple[Person, Person]
) -> None:
    ann, bob = pair
    page = ann.context.new_page()
    page.goto("/")
    staying = Person(ann.uid, ann.name, ann.context, page)
    expect(staying.conversation("Bob")).to_be_visible()
    outage.stop()
    expect(ann.status).to_have_text("Offline. Messages will be sent later")
    ann.write("later one")
    ann.write("later two")
    expect(ann.message("later two")).to_contain_text("Sending")
    ann.page.close()
    expect(staying.conversation("Bob")).to_contain_text("later two")
    staying.conversation("Bob").click()
    staying.write("later three")
    outage.start()
    expect(bob.messages).to_contain_text(["before", "later one", "later two", "later three"])
    expect(staying.message("later three")).to_contain_text("Read")


def test_a_page_that_comes_without_its_server_says_so_in_the_same_words(
    newcomer: Newcomer,
) -> None:
    ann = newcomer("Ann")
    held: list[Route] = []
    ann.context.route("**/api/v1/me", lambda route: held.append(route))
    ann.page.reload()
    expect(ann.status).to_have_text("Connecting…")
    ann.context.route("**/api/v1/**", lambda route: route.abort())
    held[0].abort()
    expect(ann.status).to_have_text("Offline. Messages will be sent later")
    ann.context.unroute_all()
    expect(ann.conversations).to_be_visible()
    expect(ann.status).to_have_count(0)


def test_who_was_offline_catches_up(newcomer: Newcomer) -> None:
    ann, bob = newcomer("Ann"), newcomer("Bob")
    ann.start_with(bob, "Bob")
    ann.write("before")
    bob.conversation("Ann").click()
    bob.context.set_offline(True)
    expect(bob.status).to_have_text("Offline. Messages will be sent later")
    for number in range(5):
        ann.write(f"missed {number}")
    expect(ann.message("missed 4")).to_contain_text("Sent")
    bob.context.set_offline(False)
    expect(bob.messages).to_contain_text(["before", *(f"missed {n}" for n in range(5))])
    expect(ann.message("missed 4")).to_contain_text("Read")


def test_what_was_never_opened_here_comes_with_the_network(newcomer: Newcomer) -> None:
    ann, bob = newcomer("Ann"), newcomer("Bob")
    ann.start_with(bob, "Bob")
    ann.write("before")
    expect(bob.conversation("Ann")).to_contain_text("1 unread")
    bob.page.reload()
    expect(bob.conversation("Ann")).to_contain_text("1 unread")
    bob.context.set_offline(True)
    expect(bob.status).to_have_text("Offline. Messages will be sent later")
    bob.conversation("Ann").click()
    alert = bob.log.get_by_role("alert")
    expect(alert).to_have_text(
        "These messages are not on this device yet. They come with the connection."
    )
    bob.write("from bob")
    expect(bob.message("from bob")).to_contain_text("Sending")
    bob.context.set_offline(False)
    expect(bob.messages).to_contain_text(["before", "from bob"])
    expect(alert).to_have_count(0)


def test_a_search_without_the_network_says_why_it_finds_nobody(newcomer: Newcomer) -> None:
    ann = newcomer("Ann")
    ann.page.get_by_role("button", name="New conversation").click()
    dialog = ann.page.get_by_role("dialog", name="New conversation")
    ann.context.set_offline(True)
    dialog.get_by_role("searchbox", name="Find people").fill("bob")
    expect(dialog.get_by_role("alert")).to_contain_text("The server cannot be reached")
    hint = dialog.get_by_text("Type a name or a user ID")
    expect(hint).to_have_count(0)
    dialog.get_by_role("searchbox", name="Find people").fill("")
    expect(dialog.get_by_role("alert")).to_have_count(0)
    expect(hint).to_be_visible()


def test_a_search_without_the_network_goes_on_with_it(newcomer: Newcomer) -> None:
    ann, bob = newcomer("Ann"), newcomer("Bob")
    ann.page.get_by_role("button", name="New conversation").click()
    dialog = ann.page.get_by_role("dialog", name="New conversation")
    ann.context.set_offline(True)
    dialog.get_by_role("searchbox", name="Find people").fill(bob.uid)
    expect(dialog.get_by_role("alert")).to_contain_text("The server cannot be reached")
    ann.context.set_offline(False)
    expect(dialog.get_by_role("button", name="Bob")).to_be_visible()
    expect(dialog.get_by_role("alert")).to_have_count(0)


def test_what_failed_without_the_network_is_not_said_with_it(newcomer: Newcomer) -> None:
    ann = newcomer("Ann")
    ann.context.set_offline(True)
    expect(ann.status).to_have_text("Offline. Messages will be sent later")
    ann.choose_from_account("Log out")
    expect(ann.page.get_by_role("alert")).to_contain_text("The server cannot be reached")
    ann.context.set_offline(False)
    expect(ann.status).to_have_count(0)
    expect(ann.page.get_by_role("alert")).to_have_count(0)


def test_a_reaction_that_waits_says_so(outage: Outage, pair: tuple[Person, Person]) -> None:
    ann, bob = pair
    outage.stop()
    expect(bob.status).to_be_visible()
    bob.choose_for("before", "React with 🎉")
    expect(bob.message("before").get_by_role("button", name="🎉 1")).to_be_visible()
    expect(bob.message("before")).to_contain_text("Saving")
    outage.start()
    expect(ann.message("before").get_by_role("button", name="🎉 1")).to_be_visible()
    expect(bob.message("before")).not_to_contain_text("Saving")


def test_both_write_while_the_server_is_away(outage: Outage, pair: tuple[Person, Person]) -> None:
    ann, bob = pair
    outage.stop()
    for person in pair:
        expect(person.status).to_be_visible()
    ann.write("from ann")
    bob.write("from bob")
    outage.start()
    for person in pair:
        expect(person.messages).to_have_count(3)
    assert _texts(ann) == _texts(bob)


def _texts(person: Person) -> list[str]:
    found = person.messages.all_inner_texts()
    return [word for text in found for word in ("from ann", "from bob") if word in text]
