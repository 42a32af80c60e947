"""A button that goes with what it did leaves the focus where a person would look next."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, Locator, Route, expect

from tests.e2e.conftest import Newcomer
from tests.servers import Server


def _press(button: Locator) -> None:
    """By the keyboard, as whoever has no mouse does."""
    button.focus()
    button.press("Enter")


def test_what_is_tried_again_leads_back_to_the_box(newcomer: Newcomer) -> None:
    ann = newcomer("Ann")
    ann.start_with(ann, "Ann")
    ann.write("x" * 17_000)
    _press(ann.page.get_by_role("button", name="Try again"))
    expect(ann.message("Not sent")).to_be_visible()
    expect(ann.box).to_be_focused()


def test_a_link_that_is_made_is_at_hand_and_one_that_is_revoked_leads_to_the_rest(
    newcomer: Newcomer,
) -> None:
    ann = newcomer("Ann")
    ann.make_group("Alone")
    ann.open_details()
    ann.details.get_by_role("button", name="Invite links").click()
    dialog = ann.page.get_by_role("dialog", name="Invite links")
    _press(dialog.get_by_role("button", name="Make a link"))
    expect(dialog.get_by_role("textbox", name="Invite link")).to_be_focused()
    revoking = dialog.get_by_role("button", name="Revoke")
    expect(revoking).to_have_accessible_description(re.compile("^Good until"))
    words = revoking.get_attribute("aria-describedby")
    _press(dialog.get_by_role("button", name="Make a link"))
    expect(revoking).to_have_count(2)
    _press(dialog.locator(f"[aria-describedby='{words}']"))
    expect(revoking).to_have_count(1)
    address = dialog.get_by_role("textbox", name="Invite link")
    expect(address).to_be_visible()
    _press(revoking)
    expect(revoking).to_have_count(0)
    expect(address).to_have_count(0)
    expect(dialog.get_by_role("list", name="Invite links")).to_be_focused()


def test_what_is_dismissed_leads_back_to_the_box_or_a_title(newcomer: Newcomer) -> None:
    ann = newcomer("Ann")
    ann.context.route("**/api/v1/logout", lambda route: route.abort())
    for _ in range(2):
        ann.choose_from_account("Log out")
        expect(ann.page.get_by_role("alert")).to_contain_text("cannot be reached")
        _press(ann.page.get_by_role("button", name="Dismiss"))
        expect(ann.page.get_by_role("alert")).to_have_count(0)
        if ann.page.url.endswith("/"):
            expect(ann.page.get_by_role("heading", name="Conversations")).to_be_focused()
            ann.start_with(ann, "Ann")
        else:
            expect(ann.box).to_be_focused()


def test_a_session_that_is_ended_leads_to_the_others(
    newcomer: Newcomer, browser: Browser, shared_server: Server
) -> None:
    ann = newcomer("Ann")
    elsewhere = ann.log_in_elsewhere(browser, shared_server.url)
    ann.choose_from_account("Settings")
    _press(ann.session_endings)
    expect(ann.session_endings).to_have_count(0)
    expect(ann.page.get_by_role("list", name="Sessions")).to_be_focused()
    elsewhere.leave()


def test_an_invitation_that_is_declined_leads_to_the_others_or_the_title(
    newcomer: Newcomer,
) -> None:
    ann, dan = newcomer("Ann"), newcomer("Dan")
    dan.ask_to_be_asked()
    for name in ("One", "Two"):
        ann.make_group(name, dan)
    declining = dan.page.get_by_role("button", name="Decline")
    expect(declining).to_have_count(2)
    _press(declining.first)
    expect(declining).to_have_count(1)
    expect(dan.page.get_by_role("list", name="Invitations")).to_be_focused()
    _press(declining)
    expect(declining).to_have_count(0)
    expect(dan.page.get_by_role("heading", name="Conversations")).to_be_focused()


def test_a_message_that_is_deleted_under_its_menu_leads_to_the_messages(newcomer: Newcomer) -> None:
    ann, bob = newcomer("Ann"), newcomer("Bob")
    ann.start_with(bob, "Bob")
    bob.start_with(ann, "Ann")
    for text, opened in ("one", True), ("two", False):
        ann.write(text)
        _press(bob.message(text).get_by_role("button", name="Message actions"))
        expect(bob.page.get_by_role("menu")).to_have_count(1)
        if not opened:
            bob.page.keyboard.press("Escape")
        ann.choose_for(text, "Delete")
        ann.page.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
        expect(bob.messages.last).to_contain_text("Message deleted")
        expect(bob.page.get_by_role("menu")).to_have_count(0)
        expect(bob.log).to_be_focused()


def test_a_member_who_leaves_under_their_menu_leads_to_the_others(newcomer: Newcomer) -> None:
    ann, bob = newcomer("Ann"), newcomer("Bob")
    ann.make_group("Two", bob)
    expect(ann.message("You made this group")).to_be_visible()

    def in_two_pages(route: Route) -> None:
        answer = route.fetch()
        next_page = None if f"after={ann.uid}" in route.request.url else ann.uid
        route.fulfill(response=answer, json={**answer.json(), "next": next_page})

    ann.page.route("**/members*", in_two_pages)
    ann.page.reload()
    ann.open_details()
    _press(ann.details.get_by_role("button", name="Show more members"))
    expect(ann.details.get_by_role("list", name="Members")).to_be_focused()
    _press(ann.details.get_by_role("button", name="Actions for Bob"))
    expect(ann.page.get_by_role("menu")).to_have_count(1)
    bob.conversation("Two").click()
    bob.open_details()
    bob.leave_group()
    expect(ann.members).to_have_count(1)
    expect(ann.details.get_by_role("list", name="Members")).to_be_focused()


def test_the_list_need_not_be_gone_through_to_come_to_the_messages(newcomer: Newcomer) -> None:
    ann, bob = newcomer("Ann"), newcomer("Bob")
    ann.start_with(bob, "Bob")
    ann.page.get_by_role("button", name="Account").focus()
    ann.page.keyboard.press("Tab")
    skip = ann.page.get_by_role("button", name="To the messages")
    expect(skip).to_be_focused()
    assert skip.evaluate("button => getComputedStyle(button).clipPath") == "none"
    ann.page.keyboard.press("Enter")
    expect(ann.log).to_be_focused()
    ann.page.keyboard.press("Tab")
    expect(ann.box).to_be_focused()
    assert skip.evaluate("button => getComputedStyle(button).clipPath") != "none"
