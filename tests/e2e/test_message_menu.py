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
