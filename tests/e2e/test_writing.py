"""What is written: how it is shown, and where it waits until it is sent."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.e2e.conftest import Newcomer
from tests.e2e.person import Person


def test_markup_is_shown_as_it_was_written(newcomer: Newcomer) -> None:
    ann, bob = newcomer("Ann"), newcomer("Bob")
    ann.start_with(bob, "Bob")
    text = "<img src=x onerror=alert(1)> **bold** <b>b</b>"
    ann.write(text)
    bob.conversation("Ann").click()
    expect(bob.messages.get_by_text(text, exact=True)).to_be_visible()
    expect(bob.log.get_by_role("img")).to_have_count(0)


def test_an_address_becomes_a_link_that_gives_nothing_away(newcomer: Newcomer) -> None:
    ann = newcomer("Ann")
    ann.start_with(ann, "Ann")
    ann.write("see https://example.org/a_(b), please")
    link = ann.log.get_by_role("link", name="https://example.org/a_(b)", exact=True)
    expect(link).to_have_attribute("href", "https://example.org/a_(b)")
    expect(link).to_have_attribute("rel", "noopener noreferrer")


_MARK_IS_LEFT = """article => {
  const texts = document.createTreeWalker(article, NodeFilter.SHOW_TEXT);
  while (!texts.nextNode().data.includes("שלום!"));
  const at = texts.currentNode.data.indexOf("שלום!");
  const left = (from) => {
    const range = document.createRange();
    range.setStart(texts.currentNode, from);
    range.setEnd(texts.currentNode, from + 1);
    return range.getBoundingClientRect().left;
  };
  return left(at + 4) < left(at);
}"""
_BEGINS_AT_ITS_LEFT = """element => {
  const text = document.createRange();
  text.selectNodeContents(element);
  return text.getBoundingClientRect().left < element.getBoundingClientRect().left + 1;
}"""


def test_what_is_written_from_right_to_left_is_shown_so(newcomer: Newcomer) -> None:
    ann, bob = newcomer("Ann"), newcomer("Bob")
    ann.make_group("קבוצה", bob)
    heading = ann.page.get_by_role("heading", level=1)
    expect(heading).to_have_css("direction", "rtl")
    assert heading.evaluate(_BEGINS_AT_ITS_LEFT)
    ann.start_with(bob, "Bob")
    ann.box.fill("שלום!")
    expect(ann.box).to_have_css("direction", "rtl")
    ann.write("שלום!")
    bob.conversation("Ann").click()
    expect(bob.message("שלום!")).to_be_visible()
    for shown in (ann.message("שלום!"), bob.message("שלום!"), bob.conversation("Ann")):
        assert shown.evaluate(_MARK_IS_LEFT)


def test_a_name_that_goes_from_right_to_left_stands_above_the_message(newcomer: Newcomer) -> None:
    ann, bob = newcomer("Ann"), newcomer("Bob")
    bob.choose_from_account("Settings")
    bob.page.get_by_role("textbox", name="Name").fill("דן")
    bob.page.get_by_role("button", name="Save").click()
    expect(bob.status).to_have_text("Saved")
    people = Person(bob.uid, "דן", bob.context, bob.page)
    ann.make_group("Two", people)
    bob.conversation("Two").click()
    bob.write("a text that is longer than the name above it")
    author = ann.message("a text").get_by_text("דן")
    expect(author).to_have_css("direction", "rtl")
    assert author.evaluate(_BEGINS_AT_ITS_LEFT)


def test_shift_enter_breaks_the_line(newcomer: Newcomer) -> None:
    ann = newcomer("Ann")
    ann.start_with(ann, "Ann")
    ann.box.press_sequentially("first")
    ann.box.press("Shift+Enter")
    ann.box.press_sequentially("second")
    ann.page.get_by_role("button", name="Send").click()
    expect(ann.messages.get_by_text("first\nsecond")).to_be_visible()
    expect(ann.box).to_have_value("")


def test_the_first_line_keeps_its_indent(newcomer: Newcomer) -> None:
    ann = newcomer("Ann")
    ann.start_with(ann, "Ann")
    ann.box.fill("\n  if x:\n      pass\n")
    ann.page.get_by_role("button", name="Send").click()
    shown = ann.message("if x").get_by_role("paragraph")
    assert shown.text_content() == "  if x:\n      pass"
    expect(shown).to_have_css("white-space-collapse", "preserve")


def test_the_arrow_up_in_an_empty_box_rewrites_the_last_message(newcomer: Newcomer) -> None:
    ann, bob = newcomer("Ann"), newcomer("Bob")
    ann.start_with(bob, "Bob")
    ann.box.press("ArrowUp")
    ann.write("at nien")
    expect(ann.message("at nien")).to_contain_text("Delivered")
    bob.conversation("Ann").click()
    bob.write("which day?")
    expect(ann.message("which day?")).to_be_visible()
    ann.box.press("ArrowUp")
    expect(ann.box).to_have_value("at nien")
    ann.write("at nine")
    expect(bob.message("at nine")).to_contain_text("edited")
    ann.box.fill("half")
    ann.box.press("ArrowUp")
    expect(ann.box).to_have_value("half")


def test_what_is_being_written_stays_with_its_conversation(newcomer: Newcomer) -> None:
    ann, bob = newcomer("Ann"), newcomer("Bob")
    ann.start_with(bob, "Bob")
    ann.write("hello")
    ann.box.fill("not yet sen")
    ann.start_with(ann, "Ann")
    expect(ann.box).to_have_value("")
    ann.conversation("Bob").click()
    expect(ann.box).to_have_value("not yet sen")
    ann.choose_for("hello", "Edit")
    ann.box.fill("hello, B")
    ann.start_with(ann, "Ann")
    expect(ann.conversation("Bob")).to_contain_text("Draft: hello, B")
    ann.conversation("Bob").click()
    expect(ann.box).to_have_value("hello, B")
    ann.page.reload()
    expect(ann.box).to_have_value("hello, B")
    ann.write("hello, Bob")
    expect(ann.message("hello, Bob")).to_contain_text("edited")
    expect(ann.box).to_have_value("not yet sen")
    ann.choose_from_account("Log out")
    expect(ann.page.get_by_role("button", name="Log in")).to_be_visible()
    assert "not yet sen" not in ann.page.evaluate("JSON.stringify(localStorage)")


def test_a_first_message_that_is_not_sent_yet_is_found_again(newcomer: Newcomer) -> None:
    ann, bob = newcomer("Ann"), newcomer("Bob")
    ann.start_with(ann, "Ann")
    ann.write("a note")
    ann.start_with(bob, "Bob")
    ann.box.fill("dear")
    ann.conversation("Ann").click()
    expect(ann.conversations.get_by_role("link")).to_contain_text(["Bob Draft: dear", "Ann"])
    ann.page.reload()
    ann.conversation("Bob").click()
    expect(ann.box).to_have_value("dear")
    ann.box.fill("")
    ann.conversation("Ann").click()
    expect(ann.conversations.get_by_role("link")).to_have_count(1)


def test_a_text_over_the_limit_is_not_lost(newcomer: Newcomer) -> None:
    ann = newcomer("Ann")
    ann.start_with(ann, "Ann")
    ann.write("x" * 17_000)
    expect(ann.page.get_by_role("alert")).to_contain_text(
        "This message is too long. Shorten it or send it in parts."
    )
    refused = ann.messages.last
    expect(refused).to_contain_text("Not sent")
    expect(ann.conversation("Ann")).to_contain_text("Not sent")
    refused.get_by_role("button", name="Try again").click()
    expect(refused).to_contain_text("Not sent")
    refused.get_by_role("button", name="Edit").click()
    expect(ann.box).to_have_value("x" * 17_000)
    expect(ann.messages).to_have_count(0)
    ann.box.press("Enter")
    refused.get_by_role("button", name="Discard").click()
    expect(ann.messages).to_have_count(0)
    expect(ann.box).to_be_focused()
    expect(ann.box).to_have_value("")
    ann.write("short")
    expect(ann.message("short")).to_contain_text("Sent")
    ann.choose_for("short", "Edit")
    ann.write("x" * 17_000)
    ann.message("Your change was not saved").get_by_role("button", name="Edit").click()
    expect(ann.box).to_have_value("x" * 17_000)
    expect(ann.messages).to_have_count(1)
    ann.box.press("Escape")
    expect(ann.box).to_have_value("")


_END_COMPOSITION = """(field, text) => {
  const more = { data: text, bubbles: true };
  field.dispatchEvent(new CompositionEvent("compositionend", more));
  const enter = { key: "Enter", keyCode: 229, isComposing: false, bubbles: true, cancelable: true };
  field.dispatchEvent(new KeyboardEvent("keydown", enter));
}"""
"""As Safari does it: the Enter that confirms a composition comes when that has ended."""


def test_the_enter_that_confirms_a_composition_sends_nothing(newcomer: Newcomer) -> None:
    ann = newcomer("Ann")
    ann.start_with(ann, "Ann")
    ann.box.fill("日本")
    ann.box.evaluate(_END_COMPOSITION, "日本")
    ann.page.evaluate("() => new Promise((resolve) => setTimeout(resolve))")
    expect(ann.box).to_have_value("日本")
    expect(ann.messages).to_have_count(0)
    ann.box.press("Enter")
    expect(ann.message("日本")).to_be_visible()
