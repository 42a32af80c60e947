"""Everybody can use it: axe finds nothing, the keyboard does all, a small screen is enough."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import Newcomer
from tests.e2e.person import Person
from tests.servers import Server

_AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
# The page's own policy forbids what axe does to it.
_FOR_AXE: dict[str, Any] = {"bypass_csp": True}


def _violations(page: Page) -> list[str]:
    page.evaluate(_AXE.read_text())
    found = page.evaluate("axe.run().then(results => results.violations)")
    return [f"{each['id']}: {each['help']}: {each['nodes'][0]['html']}" for each in found]


@pytest.fixture(params=["light", "dark"])
def stranger(
    browser: Browser, shared_server: Server, request: pytest.FixtureRequest
) -> Iterator[Person]:
    person = Person.arrive(
        browser, shared_server.url, "stranger", color_scheme=request.param, **_FOR_AXE
    )
    yield person
    person.leave()


def test_axe_finds_nothing_before_the_login(stranger: Person) -> None:
    expect(stranger.page.get_by_role("button", name="Log in")).to_be_visible()
    assert _violations(stranger.page) == []
    stranger.page.get_by_role("link", name="Create an account").click()
    assert _violations(stranger.page) == []
    stranger.page.goto("/login")
    stranger.log_in("wrong")
    expect(stranger.page.get_by_role("alert")).to_be_visible()
    assert _violations(stranger.page) == []


@pytest.mark.parametrize(("scheme", "width"), [("light", 360), ("dark", 1280)])
def test_axe_finds_nothing_after_the_login(newcomer: Newcomer, scheme: str, width: int) -> None:
    viewport = {"width": width, "height": 720}
    ann = newcomer("Ann", color_scheme=scheme, viewport=viewport, **_FOR_AXE)
    bob = newcomer("Bob")
    assert _violations(ann.page) == []
    ann.page.get_by_role("button", name="New conversation").click()
    ann.page.get_by_role("searchbox", name="Find people").fill(bob.uid)
    expect(ann.page.get_by_role("dialog").get_by_role("button", name="Bob")).to_be_visible()
    assert _violations(ann.page) == []
    ann.page.get_by_role("dialog").get_by_role("button", name="Bob").click()
    ann.write("hello https://example.org/")
    expect(ann.message("hello")).to_contain_text("Delivered")
    bob.conversation("Ann").click()
    bob.write("hi")
    expect(ann.message("hi")).to_be_visible()
    assert _violations(ann.page) == []
    ann.page.get_by_role("button", name="Account").click()
    assert _violations(ann.page) == []
    ann.page.get_by_role("menuitem", name="Settings").click()
    expect(ann.page.get_by_text("This browser")).to_be_visible()
    assert _violations(ann.page) == []
    ann.page.goto("/c/nowhere")
    expect(ann.page.get_by_role("alert")).to_be_visible()
    expect(ann.page.get_by_role("button", name="Account")).to_be_visible()
    assert _violations(ann.page) == []


@pytest.mark.parametrize(("scheme", "width"), [("dark", 360), ("light", 1280)])
def test_axe_finds_nothing_in_a_group(newcomer: Newcomer, scheme: str, width: int) -> None:
    viewport = {"width": width, "height": 720}
    ann = newcomer("Ann", color_scheme=scheme, viewport=viewport, **_FOR_AXE)
    bob = newcomer("Bob")
    ann.fill_in_group("Trip", bob)
    assert _violations(ann.page) == []
    ann.page.get_by_role("button", name="Create group").click()
    bob.conversation("Trip").click()
    bob.write("Saturday?")
    ann.choose_for("Saturday?", "React with 🎉")
    ann.choose_for("Saturday?", "Reply")
    assert _violations(ann.page) == []
    ann.write("Gladly")
    expect(ann.message("Gladly")).to_contain_text("Read by 1 of 1")
    ann.message("Gladly").get_by_role("button", name="Message actions").click()
    assert _violations(ann.page) == []
    ann.page.get_by_role("menuitem", name="Who has read").click()
    expect(ann.page.get_by_role("list", name="Read")).to_be_visible()
    assert _violations(ann.page) == []
    ann.page.keyboard.press("Escape")
    ann.open_details()
    expect(ann.members).to_have_count(2)
    ann.details.get_by_role("button", name="Actions for Bob").click()
    assert _violations(ann.page) == []
    ann.page.keyboard.press("Escape")
    for button in ("Add people", "Invite links", "Rename", "End group", "Leave group"):
        ann.details.get_by_role("button", name=button).click()
        expect(ann.page.get_by_role("dialog", name=button)).to_be_visible()
        if button == "Invite links":
            ann.page.get_by_role("button", name="Make a link").click()
            expect(ann.page.get_by_role("button", name="Revoke")).to_be_visible()
        assert _violations(ann.page) == []
        ann.page.keyboard.press("Escape")
    ann.leave_group()
    expect(ann.box).to_have_count(0)
    assert _violations(ann.page) == []


@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_nothing_in_an_invitation(newcomer: Newcomer, width: int) -> None:
    dan = newcomer("Dan", viewport={"width": width, "height": 720}, **_FOR_AXE)
    dan.ask_to_be_asked()
    dan.page.goto("/")
    newcomer("Ann").make_group("Trip", dan)
    expect(dan.page.get_by_role("button", name="Decline")).to_be_visible()
    assert _violations(dan.page) == []


_CONTRAST_OF_THE_PLACEHOLDER = """field => {
  const luminance = (colour) => {
    const parts = colour.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255);
    const [r, g, b] = parts.map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [a, b] = [
    luminance(getComputedStyle(field, "::placeholder").color),
    luminance(getComputedStyle(field).backgroundColor),
  ];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_to_write_where_can_be_read(newcomer: Newcomer, scheme: str) -> None:
    ann = newcomer("Ann", color_scheme=scheme)
    ann.start_with(ann, "Ann")
    assert ann.box.evaluate(_CONTRAST_OF_THE_PLACEHOLDER) >= 4.5


def test_with_forced_colours_lines_show_what_is_chosen_and_where_a_message_ends(
    newcomer: Newcomer,
) -> None:
    ann = newcomer("Ann", forced_colors="active")
    ann.start_with(ann, "Ann")
    ann.write("hello")
    expect(ann.conversation("Ann")).to_have_css("border-top-style", "solid")
    bubble = ann.message("hello").get_by_text("hello").locator("xpath=..")
    expect(bubble).to_have_css("border-top-style", "solid")
    expect(ann.message("hello")).to_contain_text("Sent")
    ann.choose_for("hello", "React with 👍")
    expect(ann.message("hello").get_by_role("button", name="👍 1")).to_have_css(
        "outline-style", "solid"
    )


def test_a_long_name_leaves_room_for_what_is_said_of_it(newcomer: Newcomer) -> None:
    ann, bob = newcomer("Ann", viewport={"width": 360, "height": 640}), newcomer("B" * 60)
    ann.make_group("Two", bob)
    ann.open_details()
    ann.details.get_by_role("button", name="Add people").click()
    dialog = ann.page.get_by_role("dialog", name="Add people")
    dialog.get_by_role("searchbox", name="Find people").fill(bob.uid)
    said = dialog.get_by_text("Already in")
    expect(said).to_be_visible()
    box = said.bounding_box()
    assert box is not None
    assert box["height"] < 30


def test_a_long_id_leaves_room_for_the_name(newcomer: Newcomer) -> None:
    ann, bob = newcomer("Ann", viewport={"width": 320, "height": 640}), newcomer("B" * 60)
    ann.page.get_by_role("button", name="New group").click()
    dialog = ann.page.get_by_role("dialog", name="New group")
    dialog.get_by_role("searchbox", name="Find people").fill(bob.uid)
    name = dialog.get_by_text("B" * 60, exact=True)
    expect(name).to_be_visible()
    box = name.bounding_box()
    assert box is not None
    assert box["width"] > 150


@pytest.mark.parametrize("height", [256, 320])
def test_a_screen_that_a_keyboard_covers_has_room_to_pick_people(
    newcomer: Newcomer, height: int
) -> None:
    ann = newcomer("Ann", viewport={"width": 320, "height": height})
    bob = newcomer("Bob")
    ann.make_group("Trip", bob)
    ann.open_details()
    expect(ann.members).to_have_count(2)
    ann.details.get_by_role("button", name="Actions for Bob").click()
    expect(ann.page.get_by_role("menu")).to_be_visible()
    ann.page.keyboard.press("Escape")
    ann.add_to_group(newcomer("Cleo"))
    expect(ann.members).to_have_count(3)


def test_screen_readers_are_told_of_news_alone(newcomer: Newcomer) -> None:
    ann = newcomer("Ann")
    ann.start_with(ann, "Ann")
    expect(ann.log).to_have_attribute("aria-live", "polite")
    for number in range(20):
        ann.write(f"note {number}\n.")
    newest = ann.message("note 19")
    expect(newest).to_contain_text("Sent")
    ann.log.evaluate("log => { log.scrollTop = 0; }")
    expect(ann.log).to_have_attribute("aria-live", "off")
    ann.page.get_by_role("button", name="To the newest").click()
    expect(ann.log).to_have_attribute("aria-live", "polite")
    state = newest.get_by_text("Sent")
    assert state.evaluate("state => state.closest('[aria-live]').ariaLive") == "off"


def test_escape_closes_a_groups_details_one_after_the_other(newcomer: Newcomer) -> None:
    ann = newcomer("Ann")
    ann.make_group("Alone")
    ann.open_details()
    expect(ann.details.get_by_role("button", name="Close")).to_be_focused()
    adding = ann.details.get_by_role("button", name="Add people")
    adding.click()
    ann.page.keyboard.press("Escape")
    expect(adding).to_be_focused()
    ann.page.keyboard.press("Escape")
    expect(ann.details).to_have_count(0)
    expect(ann.page.get_by_role("button", name="Group details")).to_be_focused()


def test_escape_closes_a_question_about_a_member_alone(newcomer: Newcomer) -> None:
    ann, bob = newcomer("Ann"), newcomer("Bob")
    ann.make_group("Two", bob)
    ann.open_details()
    for item in ("Remove from group", "Make owner"):
        ann.choose_for_member("Bob", item)
        expect(ann.page.get_by_role("dialog", name=item)).to_be_visible()
        ann.page.keyboard.press("Escape")
        expect(ann.page.get_by_role("dialog")).to_have_count(0)
        expect(ann.details.get_by_role("button", name="Actions for Bob")).to_be_focused()


def test_the_keyboard_alone_finds_writes_and_leaves(newcomer: Newcomer) -> None:
    ann, bob = newcomer("Ann"), newcomer("Bob")
    keyboard = ann.page.keyboard
    ann.page.get_by_role("button", name="New conversation").focus()
    keyboard.press("Enter")
    expect(ann.page.get_by_role("searchbox", name="Find people")).to_be_focused()
    keyboard.type(bob.uid)
    result = ann.page.get_by_role("dialog").get_by_role("button", name=re.compile("^Bob"))
    expect(result).to_be_visible()
    keyboard.press("ArrowDown")
    expect(result).to_be_focused()
    keyboard.press("Enter")
    expect(ann.box).to_be_focused()
    keyboard.type("typed")
    keyboard.press("Enter")
    expect(ann.message("typed")).to_contain_text("Delivered")
    expect(ann.box).to_be_focused()
    ann.page.get_by_role("button", name="Account").focus()
    keyboard.press("Enter")
    expect(ann.page.get_by_role("menuitem", name="Settings")).to_be_focused()
    keyboard.press("ArrowDown")
    expect(ann.page.get_by_role("menuitem", name="Log out")).to_be_focused()
    keyboard.press("Enter")
    expect(ann.page.get_by_role("button", name="Log in")).to_be_visible()
    expect(ann.page.get_by_role("textbox", name="User ID")).to_be_focused()


def test_escape_closes_the_menu_and_gives_the_focus_back(newcomer: Newcomer) -> None:
    ann = newcomer("Ann")
    account = ann.page.get_by_role("button", name="Account")
    account.click()
    ann.page.keyboard.press("Escape")
    expect(ann.page.get_by_role("menu")).to_have_count(0)
    expect(account).to_be_focused()


def test_escape_empties_the_search_then_closes_the_dialog(newcomer: Newcomer) -> None:
    ann = newcomer("Ann")
    opener = ann.page.get_by_role("button", name="New conversation")
    opener.click()
    field = ann.page.get_by_role("searchbox", name="Find people")
    field.fill("somebody")
    ann.page.keyboard.press("Escape")
    expect(field).to_have_value("")
    ann.page.keyboard.press("Escape")
    expect(ann.page.get_by_role("dialog")).to_have_count(0)
    expect(opener).to_be_focused()


def test_a_chosen_conversation_leads_to_its_message_box(newcomer: Newcomer) -> None:
    ann, bob = newcomer("Ann"), newcomer("Bob")
    ann.start_with(bob, "Bob")
    ann.write("hello")
    bob.conversation("Ann").click()
    expect(bob.box).to_be_focused()
    bob.conversation("Ann").click()
    expect(bob.box).to_be_focused()
    bob.start_with(ann, "Ann")
    expect(bob.box).to_be_focused()


def test_a_small_screen_shows_one_pane_at_a_time(newcomer: Newcomer) -> None:
    ann = newcomer("Ann", viewport={"width": 360, "height": 640})
    ann.start_with(ann, "Ann")
    ann.write("a note with averyveryveryveryveryveryveryveryveryveryverylongwordthatmustwrap")
    expect(ann.conversations).to_have_count(0)
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert ann.page.evaluate(overflow) == 0
    ann.page.get_by_role("link", name="Back to conversations").click()
    expect(ann.conversation("Ann")).to_be_visible()
    expect(ann.box).to_have_count(0)


def test_a_small_screen_keeps_the_focus_when_a_group_ends(newcomer: Newcomer) -> None:
    ann = newcomer("Ann", viewport={"width": 360, "height": 640})
    ann.make_group("Alone")
    ann.open_details()
    ending = ann.details.get_by_role("button", name="End group")
    ending.click()
    ann.page.get_by_role("button", name="End for everybody").click()
    expect(ending).to_have_count(0)
    expect(ann.details.get_by_role("button", name="Close")).to_be_focused()


def test_a_small_screen_leaves_the_boxes_of_settings_their_size(newcomer: Newcomer) -> None:
    ann = newcomer("Ann", viewport={"width": 360, "height": 640})
    ann.choose_from_account("Settings")
    boxes = ann.page.get_by_role("checkbox")
    expect(boxes).to_have_count(3)
    sizes = [box.bounding_box() for box in boxes.all()]
    assert [(size["width"], size["height"]) for size in sizes if size] == [(18, 18)] * 3


def test_a_wide_screen_shows_both_panes_without_a_way_back(newcomer: Newcomer) -> None:
    ann = newcomer("Ann", viewport={"width": 720, "height": 640})
    ann.start_with(ann, "Ann")
    expect(ann.conversations).to_be_visible()
    expect(ann.box).to_be_visible()
    expect(ann.page.get_by_role("link", name="Back to conversations")).to_have_count(0)


def test_the_page_obeys_its_own_policy(newcomer: Newcomer) -> None:
    said: list[str] = []
    ann = newcomer("Ann")
    ann.page.on("console", lambda message: said.append(message.text))
    ann.page.reload()
    ann.start_with(ann, "Ann")
    ann.write("hello")
    expect(ann.message("hello")).to_contain_text("Sent")
    ann.choose_from_account("Settings")
    expect(ann.page.get_by_role("heading", level=1, name="Settings")).to_be_visible()
    assert said == []
