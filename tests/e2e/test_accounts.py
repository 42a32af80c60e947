"""Getting in and out, and one's own settings."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.conftest import Newcomer
from tests.e2e.person import PASSWORD, Person
from tests.servers import Server


@pytest.mark.parametrize("address", ["/", "/settings", "/c/dm:a:b", "/login"])
def test_without_a_login_every_address_shows_log_in(
    browser: Browser, shared_server: Server, address: str
) -> None:
    stranger = Person.arrive(browser, shared_server.url, "stranger")
    stranger.page.goto(address)
    expect(stranger.page.get_by_role("button", name="Log in")).to_be_visible()
    stranger.leave()


def test_registering_logs_in_and_leads_to_the_conversations(
    browser: Browser, shared_server: Server
) -> None:
    nora = Person.arrive(browser, shared_server.url, "nora")
    nora.page.goto("/settings")
    nora.register("Nora")
    expect(nora.page.get_by_role("heading", level=1, name="Conversations")).to_be_visible()
    expect(nora.page.get_by_role("heading", level=1)).to_be_focused()
    assert nora.page.url == f"{shared_server.url}/"
    nora.choose_from_account("Settings")
    expect(nora.page.get_by_role("heading", level=1, name="Settings")).to_be_focused()
    nora.page.go_back()
    expect(nora.page.get_by_role("heading", level=1, name="Conversations")).to_be_focused()
    nora.page.reload()
    expect(nora.conversations.get_by_role("list")).to_be_visible()
    nora.leave()


def test_logging_in_leads_back_to_where_one_was(newcomer: Newcomer) -> None:
    ann = newcomer("Ann")
    ann.choose_from_account("Log out")
    expect(ann.page.get_by_role("button", name="Log in")).to_be_visible()
    ann.page.goto("/settings")
    ann.page.get_by_role("link", name="Create an account").click()
    ann.page.get_by_role("link", name="Log in").click()
    ann.log_in()
    expect(ann.page.get_by_role("heading", level=1, name="Settings")).to_be_visible()
    assert ann.page.url.endswith("/settings")


def test_a_wrong_password_is_said_in_plain_words(newcomer: Newcomer) -> None:
    ann = newcomer("Ann")
    ann.choose_from_account("Log out")
    ann.log_in("not the password")
    expect(ann.page.get_by_role("alert")).to_contain_text("not right")


def test_what_is_not_filled_in_is_named(browser: Browser, shared_server: Server) -> None:
    stranger = Person.arrive(browser, shared_server.url, "stranger")
    stranger.log_in("")
    expect(stranger.page.get_by_role("alert")).to_have_text("Fill in Password.")
    expect(stranger.page.get_by_label("Password")).to_be_focused()
    stranger.page.keyboard.type("a")
    expect(stranger.page.get_by_role("alert")).to_have_count(0)
    stranger.leave()


def test_a_password_that_is_too_short_is_said_in_plain_words(
    browser: Browser, shared_server: Server
) -> None:
    stranger = Person.arrive(browser, shared_server.url, "stranger")
    stranger.page.goto("/register")
    stranger.page.get_by_role("textbox", name="User ID").fill("shorty")
    stranger.page.get_by_role("textbox", name="Name").fill("Shorty")
    stranger.page.get_by_label("Password").fill("short")
    stranger.page.get_by_role("button", name="Create account").click()
    expect(stranger.page.get_by_role("alert")).to_contain_text("8")
    stranger.leave()


def test_a_user_id_that_is_taken_is_said_in_plain_words(
    newcomer: Newcomer, browser: Browser, shared_server: Server
) -> None:
    ann = newcomer("Ann")
    other = Person.arrive(browser, shared_server.url, ann.uid)
    other.page.get_by_role("link", name="Create an account").click()
    other.page.get_by_role("textbox", name="User ID").fill(ann.uid)
    other.page.get_by_role("textbox", name="Name").fill("Another Ann")
    other.page.get_by_label("Password").fill(PASSWORD)
    other.page.get_by_role("button", name="Create account").click()
    expect(other.page.get_by_role("alert")).to_contain_text("taken")
    other.leave()


def test_a_session_ended_elsewhere_leads_to_log_in(
    newcomer: Newcomer, browser: Browser, shared_server: Server
) -> None:
    ann = newcomer("Ann")
    elsewhere = ann.log_in_elsewhere(browser, shared_server.url)
    ann.choose_from_account("Settings")
    ann.session_endings.click()
    expect(elsewhere.page.get_by_role("button", name="Log in")).to_be_visible()
    expect(elsewhere.page.get_by_role("alert")).to_have_text("You were logged out on this device.")
    elsewhere.page.reload()
    expect(elsewhere.page.get_by_role("button", name="Log in")).to_be_visible()
    expect(elsewhere.page.get_by_role("alert")).to_have_count(0)
    expect(ann.session_endings).to_have_count(0)
    elsewhere.leave()


def test_all_other_sessions_are_ended_at_once(
    newcomer: Newcomer, browser: Browser, shared_server: Server
) -> None:
    ann = newcomer("Ann")
    others = [ann.log_in_elsewhere(browser, shared_server.url) for _ in range(2)]
    ann.choose_from_account("Settings")
    ann.page.get_by_role("button", name="End all others").click()
    for other in others:
        expect(other.page.get_by_role("button", name="Log in")).to_be_visible()
        other.leave()
    sessions = ann.page.get_by_role("list", name="Sessions").get_by_role("listitem")
    expect(sessions).to_have_text([re.compile("This browser")])
    expect(ann.page.get_by_role("button", name="End all others")).to_have_count(0)


def test_the_sessions_that_another_password_ends_are_not_listed(
    newcomer: Newcomer, browser: Browser, shared_server: Server
) -> None:
    ann = newcomer("Ann")
    elsewhere = ann.log_in_elsewhere(browser, shared_server.url)
    ann.choose_from_account("Settings")
    expect(ann.session_endings).to_have_count(1)
    ann.page.get_by_label("Current password").fill(PASSWORD)
    ann.page.get_by_label("New password").fill("another password")
    ann.page.get_by_role("button", name="Change password").click()
    expect(ann.session_endings).to_have_count(0)
    expect(ann.status).to_have_text("Password changed")
    elsewhere.leave()


def test_another_login_in_this_browser_is_one_for_each_of_its_pages(
    browser: Browser, shared_server: Server
) -> None:
    nell = Person.arrive(browser, shared_server.url, "nell")
    page = nell.context.new_page()
    page.goto("/")
    olaf = Person("olaf", "Olaf", nell.context, page)
    expect(olaf.page.get_by_role("button", name="Log in")).to_be_visible()
    nell.register("Nell")
    expect(olaf.conversations).to_be_visible()
    olaf.page.route("**/api/v1/me", lambda route: route.fulfill(status=401), times=1)
    olaf.page.reload()
    olaf.register("Olaf")
    expect(nell.page.get_by_role("alert")).to_contain_text("logged out on this device")
    nell.leave()


def test_a_changed_name_is_what_others_see(newcomer: Newcomer) -> None:
    ann, bob = newcomer("Ann"), newcomer("Bob")
    ann.choose_from_account("Settings")
    ann.page.get_by_role("textbox", name="Name").fill("Ann of Cleves")
    ann.page.get_by_role("button", name="Save").click()
    expect(ann.status).to_have_text("Saved")
    bob.start_with(ann, "Ann of Cleves")


def test_what_one_form_said_goes_when_another_is_used(newcomer: Newcomer) -> None:
    ann = newcomer("Ann")
    ann.choose_from_account("Settings")
    ann.page.get_by_label("Current password").fill("not the password")
    ann.page.get_by_label("New password").fill("another password")
    ann.page.get_by_role("button", name="Change password").click()
    expect(ann.page.get_by_role("alert")).to_contain_text("not right")
    ann.page.get_by_role("button", name="Save").click()
    expect(ann.status).to_have_text("Saved")
    expect(ann.page.get_by_role("alert")).to_have_count(0)


def test_a_changed_password_is_the_one_to_log_in_with(newcomer: Newcomer) -> None:
    ann = newcomer("Ann")
    ann.choose_from_account("Settings")
    ann.page.get_by_label("Current password").fill(PASSWORD)
    ann.page.get_by_label("New password").fill("another password")
    ann.page.get_by_role("button", name="Change password").click()
    expect(ann.status).to_have_text("Password changed")
    ann.choose_from_account("Log out")
    ann.log_in("another password")
    ann.start_with(ann, "Ann")
    ann.write("still here")
    expect(ann.message("still here")).to_contain_text("Sent")


def test_who_does_not_show_reading_is_not_seen_reading(newcomer: Newcomer) -> None:
    ann, bob = newcomer("Ann"), newcomer("Bob")
    bob.choose_from_account("Settings")
    box = bob.page.get_by_role("checkbox", name="Show others when I have read their messages")
    with bob.page.expect_response("**/api/v1/me"):
        box.uncheck()
    ann.start_with(bob, "Bob")
    ann.write("secret")
    bob.conversation("Ann").click()
    expect(bob.message("secret")).to_be_visible()
    bob.write("answer")
    expect(ann.message("answer")).to_be_visible()
    expect(ann.message("secret")).to_contain_text("Delivered")


def test_who_logs_out_before_all_is_sent_is_asked_first(newcomer: Newcomer) -> None:
    ann = newcomer("Ann")
    ann.start_with(ann, "Ann")
    ann.write("x" * 17_000)
    expect(ann.messages).to_contain_text("Not sent")
    ann.choose_from_account("Log out")
    dialog = ann.page.get_by_role("dialog", name="Log out")
    expect(dialog).to_contain_text("1 message was not sent. If you log out, it is lost.")
    dialog.get_by_role("button", name="Cancel").click()
    expect(ann.page.get_by_role("button", name="Account")).to_be_focused()
    expect(ann.messages).to_contain_text("Not sent")
    ann.choose_from_account("Log out")
    dialog.get_by_role("button", name="Log out").click()
    ann.log_in()
    ann.start_with(ann, "Ann")
    ann.write("a note")
    expect(ann.message("a note")).to_contain_text("Sent")
    expect(ann.messages).to_have_count(1)


def test_a_user_id_that_is_too_long_is_refused_and_not_cut(
    browser: Browser, shared_server: Server
) -> None:
    long = Person.arrive(browser, shared_server.url, "l" + "o" * 62 + "ng")
    long.page.get_by_role("link", name="Create an account").click()
    uid = long.page.get_by_role("textbox", name="User ID")
    long.context.grant_permissions(["clipboard-read", "clipboard-write"])
    long.page.evaluate("(uid) => navigator.clipboard.writeText(uid)", long.uid)
    uid.press("ControlOrMeta+V")
    expect(uid).to_have_value(long.uid)
    long.page.get_by_role("textbox", name="Name").fill("Long")
    long.page.get_by_label("Password").fill(PASSWORD)
    long.page.get_by_role("button", name="Create account").click()
    expect(long.page.get_by_role("alert")).to_have_text("User ID is longer than 64 characters.")
    expect(uid).to_be_focused()
    uid.press("End")
    uid.press("Backspace")
    long.page.get_by_role("button", name="Create account").click()
    expect(long.conversations).to_be_visible()
    long.leave()
