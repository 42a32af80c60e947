"""Ways into a group: by link, by invitation, and where anybody may join."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.conftest import Newcomer, Trio
from tests.e2e.person import Person
from tests.servers import Server


@pytest.fixture
def stranger(browser: Browser, shared_server: Server) -> Iterator[Person]:
    """Somebody without an account."""
    person = Person.arrive(browser, shared_server.url, "dan.by.link")
    yield person
    person.leave()


def test_an_invite_link_leads_in_until_it_is_revoked(
    trio: Trio, stranger: Person, newcomer: Newcomer
) -> None:
    ann, bob, _ = trio
    dan, eve = stranger, newcomer("Eve")
    ann.open_details()
    ann.details.get_by_role("button", name="Invite links").click()
    dialog = ann.page.get_by_role("dialog", name="Invite links")
    dialog.get_by_role("button", name="Make a link").click()
    address = dialog.get_by_role("textbox", name="Invite link").input_value()
    dan.page.goto(address)
    dan.register("Dan")
    joining = dan.page.get_by_role("dialog", name="Join group")
    joining.get_by_role("button", name="Join", exact=True).click()
    expect(dan.messages).to_have_text(["You joined"])
    expect(bob.messages.last).to_have_text("Dan joined")
    dialog.get_by_role("button", name="Revoke").click()
    expect(dialog.get_by_role("listitem")).to_have_count(0)
    eve.page.goto(address)
    joining = eve.page.get_by_role("dialog", name="Join group")
    joining.get_by_role("button", name="Join", exact=True).click()
    expect(joining.get_by_role("alert")).to_have_text("This link does not exist, or has ended.")
    expect(joining.get_by_role("button")).to_have_count(1)
    expect(joining.get_by_role("button", name="Close")).to_be_focused()


def test_who_wants_to_be_asked_is_invited(trio: Trio, trip: str, newcomer: Newcomer) -> None:
    ann, bob, _ = trio
    dan = newcomer("Dan")
    dan.ask_to_be_asked()
    ann.open_details()
    ann.add_to_group(dan)
    expect(ann.details).to_contain_text("Dan was invited")
    invitations = dan.page.get_by_role("list", name="Invitations")
    expect(invitations).to_contain_text("Ann invites you to a group.")
    expect(dan.page.get_by_role("region", name="Invitations")).to_be_visible()
    said = re.compile("^Ann invites you to a group. .*[0-9]:[0-9]{2}")
    for name in ("Accept", "Decline"):
        answer = invitations.get_by_role("button", name=name, exact=True)
        expect(answer).to_have_accessible_description(said)
    expect(bob.messages).to_have_count(1)
    invitations.get_by_role("button", name="Accept").click()
    expect(dan.page.get_by_role("heading", level=1, name=trip)).to_be_visible()
    expect(invitations).to_have_count(0)
    dan.write("here I am")
    expect(bob.message("here I am")).to_contain_text("Dan")


def test_who_made_a_group_is_told_who_was_invited(trio: Trio, newcomer: Newcomer) -> None:
    ann, bob, _ = trio
    dan = newcomer("Dan")
    dan.ask_to_be_asked()
    ann.make_group("With Dan", bob, dan)
    said = ann.page.get_by_text("Dan was invited, and joins by accepting.")
    expect(said).to_be_visible()
    ann.open_details()
    expect(said).to_have_count(1)
    expect(ann.members).to_have_count(2)
    dan.page.get_by_role("button", name="Accept").click()
    expect(ann.messages.last).to_have_text("You added Dan")
    expect(said).to_have_count(0)


def test_a_public_group_is_found_and_joined(trio: Trio, trip: str, newcomer: Newcomer) -> None:
    ann, bob, _ = trio
    dan = newcomer("Dan")
    ann.open_details()
    rule = ann.details.get_by_role("checkbox", name="Anybody can find and join it")
    rule.click()
    expect(rule).to_be_checked()
    dan.page.get_by_role("button", name="New conversation").click()
    dan.page.get_by_role("searchbox", name="Find people").fill(trip)
    found = dan.page.get_by_role("dialog", name="New conversation")
    found.get_by_role("button", name=re.compile(f"^{trip} Public group, 3 members")).click()
    joining = dan.page.get_by_role("dialog", name="Join group")
    expect(joining).to_contain_text(f"Anybody may join “{trip}”.")
    joining.get_by_role("button", name="Join", exact=True).click()
    expect(dan.messages).to_have_text(["You joined"])
    expect(bob.messages.last).to_have_text("Dan joined")


@pytest.mark.parametrize("by_script", [False, True], ids=["navigation", "script"])
def test_a_second_link_asks_anew_where_the_first_one_is_still_asked_about(
    newcomer: Newcomer, by_script: bool
) -> None:
    ann, dan = newcomer("Ann"), newcomer("Dan")
    addresses = []
    for name in ("One", "Two"):
        ann.make_group(name)
        ann.open_details()
        ann.details.get_by_role("button", name="Invite links").click()
        dialog = ann.page.get_by_role("dialog", name="Invite links")
        dialog.get_by_role("button", name="Make a link").click()
        addresses.append(dialog.get_by_role("textbox", name="Invite link").input_value())
        ann.page.keyboard.press("Escape")
        ann.page.goto("/")
    joining = dan.page.get_by_role("dialog", name="Join group")
    join = joining.get_by_role("button", name="Join", exact=True)
    dan.page.goto("/#invite=ended")
    join.click()
    expect(joining.get_by_role("alert")).to_be_visible()
    for address in addresses[::-1]:
        if by_script:
            dan.page.evaluate("(address) => { location.href = address; }", address)
        else:
            dan.page.goto(address)
        expect(join).to_be_focused()
        expect(joining.get_by_role("alert")).to_have_count(0)
    join.click()
    expect(dan.page.get_by_role("heading", level=1, name="One")).to_be_visible()
    expect(joining).to_have_count(0)
