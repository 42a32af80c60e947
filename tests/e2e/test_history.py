"""Long conversations: older messages by scrolling, the place kept, the page never full."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect

from tests.e2e.conftest import Newcomer
from tests.e2e.person import Person

MESSAGES = 130


@pytest.fixture
def ann(newcomer: Newcomer) -> Person:
    """Somebody with many notes to herself, her page loaded afresh."""
    ann = newcomer("Ann")
    ann.start_with(ann, "Ann")
    for number in range(1, MESSAGES + 1):
        ann.write(f"note {number}.")
    expect(ann.message(f"note {MESSAGES}.")).to_contain_text("Sent")
    ann.page.reload()
    expect(ann.message(f"note {MESSAGES}.")).to_be_in_viewport()
    return ann


def _top(message: Locator) -> float:
    box = message.bounding_box()
    assert box is not None
    return box["y"]


def test_a_conversation_opens_at_its_newest_message(ann: Person) -> None:
    expect(ann.message("note 1.")).to_have_count(0)
    expect(ann.messages.last).to_contain_text(f"note {MESSAGES}.")


def test_scrolling_up_brings_older_messages_down_to_the_first(ann: Person) -> None:
    ann.log.hover()
    while ann.message("note 1.").count() == 0:
        ann.page.mouse.wheel(0, -1500)
        expect(ann.log).to_have_attribute("aria-busy", "false")
    ann.message("note 1.").scroll_into_view_if_needed()
    expect(ann.message("note 1.")).to_be_in_viewport()
    texts = ann.messages.all_inner_texts()
    assert [f"note {n}." in text for n, text in enumerate(texts, 1)] == [True] * MESSAGES


def test_the_place_is_kept_while_older_messages_come_in(ann: Person) -> None:
    mark = ann.message("note 90.")
    mark.scroll_into_view_if_needed()
    before = _top(mark)
    first = ann.messages.first.inner_text()
    ann.log.evaluate("log => { log.scrollTop -= 1 }")
    expect(ann.messages.first).not_to_have_text(first, use_inner_text=True)
    assert abs(_top(mark) - before) <= 3


def test_a_new_message_does_not_move_who_reads_older_ones(ann: Person) -> None:
    mark = ann.message("note 100.")
    mark.scroll_into_view_if_needed()
    second = ann.context.new_page()
    second.goto(ann.page.url)
    second.get_by_role("textbox", name="Message").fill("news")
    before = _top(mark)
    second.get_by_role("button", name="Send").click()
    button = ann.page.get_by_role("button", name="New messages")
    expect(button).to_be_visible()
    assert abs(_top(mark) - before) <= 3
    button.click()
    expect(ann.message("news")).to_be_in_viewport()
    expect(button).to_have_count(0)
