"""Room for what belongs together: a group's details, and letters of twice the size."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.e2e.browsing import CHROMIUM, CHROMIUM_ARGUMENTS
from tests.e2e.conftest import Newcomer
from tests.e2e.person import Person
from tests.servers import Server


def _ends_at(shown: Locator) -> float:
    box = shown.bounding_box()
    assert box is not None
    return box["x"] + box["width"]


def test_details_lie_over_a_conversation_that_leaves_them_no_room(newcomer: Newcomer) -> None:
    ann = newcomer("Ann", viewport={"width": 720, "height": 640})
    ann.make_group("Alone")
    main = ann.page.locator("main")
    ann.open_details()
    close = ann.details.get_by_role("button", name="Close")
    expect(close).to_be_focused()
    expect(main).to_have_js_property("inert", True)
    ann.page.keyboard.press("Escape")
    expect(main).to_have_js_property("inert", False)
    expect(ann.page.get_by_role("button", name="Group details")).to_be_focused()
    ann.open_details()
    ann.conversation("Alone").click()
    expect(ann.details).to_have_count(0)
    expect(ann.box).to_be_focused()


def test_details_stand_beside_a_conversation_that_leaves_them_room(newcomer: Newcomer) -> None:
    ann = newcomer("Ann", viewport={"width": 960, "height": 640})
    ann.make_group("Alone")
    ann.open_details()
    ann.box.fill("beside it")
    ann.page.get_by_role("button", name="Send").click()
    expect(ann.message("beside it")).to_be_visible()
    ann.page.set_viewport_size({"width": 900, "height": 640})
    expect(ann.details.get_by_role("button", name="Close")).to_be_focused()


@pytest.mark.parametrize("width", [720, 800, 900])
def test_letters_of_twice_the_size_leave_the_button_in_the_window(
    newcomer: Newcomer, width: int
) -> None:
    ann = newcomer("Ann", viewport={"width": width, "height": 640})
    ann.start_with(ann, "Ann")
    ann.page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert _ends_at(ann.page.get_by_role("button", name="Send")) <= width
    title = ann.page.get_by_role("heading", level=2, name="Conversations")
    box = title.bounding_box()
    assert box is not None
    assert box["height"] < 60


def test_a_browser_with_letters_of_twice_the_size_shows_one_pane_longer(
    browser: Browser, shared_server: Server
) -> None:
    large = browser.browser_type.launch(
        executable_path=str(CHROMIUM),
        args=[*CHROMIUM_ARGUMENTS, "--blink-settings=defaultFontSize=32"],
    )
    size = {"width": 1400, "height": 720}
    bea = Person.with_account(large, shared_server.url, "bea", "Bea", viewport=size)
    bea.start_with(bea, "Bea")
    expect(bea.page.get_by_role("link", name="Back to conversations")).to_be_visible()
    bea.page.set_viewport_size({"width": 1440, "height": 720})
    expect(bea.conversations).to_be_visible()
    large.close()


def test_back_takes_away_the_details_that_cover_a_phone(newcomer: Newcomer) -> None:
    ann = newcomer("Ann", viewport={"width": 360, "height": 640}, has_touch=True)
    ann.make_group("Alone")
    expect(ann.box).to_have_css("font-size", "16px")  # Safari would zoom in to smaller letters
    ann.box.fill("https://example.org/" + "x" * 200)
    assert _ends_at(ann.page.get_by_role("button", name="Send")) <= 360
    address = ann.page.url
    opener = ann.page.get_by_role("button", name="Group details")
    ann.open_details()
    ann.page.go_back()
    expect(ann.details).to_have_count(0)
    expect(opener).to_be_focused()
    assert ann.page.url == address
    ann.page.go_forward()
    expect(ann.details).to_be_visible()
    ann.page.reload()
    expect(ann.details.get_by_role("button", name="Close")).to_be_focused()
    ann.page.keyboard.press("Escape")
    expect(ann.details).to_have_count(0)
    expect(ann.box).to_be_focused()
    ann.page.go_back()
    expect(ann.page.get_by_role("heading", level=1, name="Conversations")).to_be_visible()


def test_who_leaves_a_group_on_a_phone_is_a_step_away_from_the_list(newcomer: Newcomer) -> None:
    ann = newcomer("Ann", viewport={"width": 360, "height": 640})
    errors: list[object] = []
    ann.page.on("pageerror", lambda error: errors.append(error))
    ann.make_group("Alone")
    ann.open_details()
    ann.leave_group()
    expect(ann.messages.last).to_have_text("You left")
    expect(ann.log).to_be_focused()
    ann.page.go_back()
    expect(ann.page.get_by_role("heading", level=1, name="Conversations")).to_be_visible()
    assert errors == []


def test_details_beside_a_conversation_are_no_step_back(newcomer: Newcomer) -> None:
    ann = newcomer("Ann")
    ann.make_group("Alone")
    ann.open_details()
    ann.page.go_back()
    expect(ann.page.get_by_role("heading", level=1, name="Conversations")).to_be_visible()
