"""A message's menu opens by mouse and by touch, and a pair's messages have one, too."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.e2e.conftest import Newcomer


def test_the_right_mouse_button_opens_it(newcomer: Newcomer) -> None:
    ann = newcomer("Ann")
    ann.start_with(ann, "Ann")
    ann.write("a note")
    expect(ann.message("a note")).to_contain_text("Sent")  # before, there is nothing to be done
    ann.messages.get_by_text("a note").click(button="right")
    expect(ann.page.get_by_role("menuitem", name="Reply")).to_be_visible()
    ann.page.get_by_role("heading", level=1).click()
    expect(ann.page.get_by_role("menu")).to_have_count(0)


def test_a_finger_deletes_a_message(newcomer: Newcomer) -> None:
    ann = newcomer("Ann", has_touch=True, is_mobile=True, viewport={"width": 360, "height": 640})
    bob = newcomer("Bob")
    ann.start_with(bob, "Bob")
    ann.write("slip of the finger")
    bob.conversation("Ann").click()
    expect(ann.message("slip")).to_contain_text("Read")
    ann.message("slip").get_by_role("button", name="Message actions").tap()
    ann.page.get_by_role("menuitem", name="Delete").tap()
    ann.page.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).tap()
    for person in (ann, bob):
        expect(person.messages.last).to_contain_text("Message deleted")


def test_a_text_is_copied_as_it_was_written(newcomer: Newcomer) -> None:
    ann = newcomer("Ann", permissions=["clipboard-read", "clipboard-write"])
    ann.start_with(ann, "Ann")
    ann.write("one <b>\ntwo")
    expect(ann.message("two")).to_contain_text("Sent")
    ann.choose_for("two", "Copy text")
    opener = ann.message("two").get_by_role("button", name="Message actions")
    expect(opener).to_be_focused()
    assert ann.page.evaluate("navigator.clipboard.readText()") == "one <b>\ntwo"


def test_what_the_browser_does_not_let_be_copied_is_told_of(newcomer: Newcomer) -> None:
    ann = newcomer("Ann")
    ann.start_with(ann, "Ann")
    ann.write("one")
    expect(ann.message("one")).to_contain_text("Sent")
    refuse = "() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }"
    ann.page.evaluate(refuse)
    ann.choose_for("one", "Copy text")
    expect(ann.page.get_by_role("alert")).to_contain_text(
        "Your browser does not let this page copy"
    )
    ann.page.get_by_role("button", name="Dismiss").click()
    expect(ann.page.get_by_role("alert")).to_have_count(0)


def test_the_arrows_walk_along_the_reactions_and_past_them(newcomer: Newcomer) -> None:
    ann = newcomer("Ann")
    ann.start_with(ann, "Ann")
    ann.write("a note")
    opener = ann.message("a note").get_by_role("button", name="Message actions")
    opener.focus()
    opener.press("Enter")
    for key, name in (
        ("", "React with 👍"),
        ("ArrowRight", "React with ❤️"),
        ("ArrowLeft", "React with 👍"),
        ("ArrowLeft", "React with 😢"),
        ("ArrowRight", "React with 👍"),
        ("ArrowDown", "Reply"),
        ("ArrowRight", "Reply"),
        ("ArrowUp", "React with 👍"),
        ("ArrowUp", "Delete"),
        ("ArrowDown", "React with 👍"),
        ("End", "Delete"),
        ("Home", "React with 👍"),
    ):
        if key:
            ann.page.keyboard.press(key)
        expect(ann.page.get_by_role("menuitem", name=name)).to_be_focused()
