"""Three people in a group: made, joined, left, read, changed."""

from __future__ import annotations

import re

from playwright.sync_api import Route, expect

from tests.e2e.conftest import Newcomer, Trio


def test_a_group_is_made_and_everybody_is_told(people: Trio, trip: str) -> None:
    ann, bob, cleo = people
    for person in people:
        person.page.goto("/")
    ann.make_group(trip, bob, cleo)
    for person in (bob, cleo):
        person.conversation(trip).click()
    expect(ann.messages).to_have_text(["You made this group"])
    for person in (bob, cleo):
        expect(person.messages).to_have_text(["Ann made this group"])
    ann.open_details()
    expect(ann.members).to_have_text(
        [re.compile("Ann.*You.*Owner"), re.compile("Bob"), re.compile("Cleo")]
    )
    ann.write("Where to?")
    expect(bob.message("Where to?")).to_contain_text("Ann")


def test_a_group_without_a_name_is_not_made_until_it_has_one(trio: Trio) -> None:
    ann, _, _ = trio
    ann.fill_in_group("")
    dialog = ann.page.get_by_role("dialog", name="New group")
    dialog.get_by_role("button", name="Create group").click()
    expect(dialog.get_by_role("alert")).to_have_text("Fill in Group name.")
    ann.page.keyboard.type("Trip")
    expect(dialog.get_by_role("alert")).to_have_count(0)


def test_who_has_read_is_counted(trio: Trio, trip: str) -> None:
    ann, _, cleo = trio
    cleo.page.goto("/")
    ann.write("Saturday?")
    expect(ann.message("Saturday?")).to_contain_text("Read by 1 of 2")
    ann.choose_for("Saturday?", "Who has read")
    dialog = ann.page.get_by_role("dialog", name="Who has read")
    ann.page.keyboard.press("Tab")
    expect(dialog.get_by_role("region", name="People")).to_be_focused()
    for title, name in (("Read", "Bob"), ("Not yet", "Cleo")):
        listed = dialog.get_by_role("list", name=title).get_by_role("listitem")
        expect(listed).to_have_text([re.compile(name)])
    dialog.get_by_role("button", name="Close").click()
    expect(cleo.conversations.get_by_role("link", name="1 unread")).to_contain_text("Saturday?")
    cleo.conversation(trip).click()
    expect(ann.message("Saturday?")).to_contain_text("Read by 2 of 2")
    ann.page.reload()
    expect(ann.message("Saturday?")).to_contain_text("Read by 2 of 2")


def test_who_has_read_is_told_of_the_message_that_was_asked_about_last(trio: Trio) -> None:
    ann, _, _ = trio
    held: list[Route] = []
    ann.write("Where to?")
    ann.write("And when?")
    expect(ann.message("And when?")).to_contain_text("Read by 2 of 2")
    ann.page.route("**/receipts?*", lambda route: held.append(route), times=1)
    with ann.page.expect_request("**/receipts?*"):
        ann.choose_for("Where to?", "Who has read")
    ann.page.keyboard.press("Escape")
    ann.choose_for("And when?", "Who has read")
    dialog = ann.page.get_by_role("dialog", name="Who has read")
    readers = dialog.get_by_role("list", name="Read").get_by_role("listitem")
    expect(readers).to_have_count(2)
    with ann.page.expect_response("**/receipts?*"):
        held[0].fulfill(json={"items": [], "next": None})
    ann.page.evaluate("new Promise(requestAnimationFrame)")
    expect(readers).to_have_count(2)
    dialog.get_by_role("button", name="Close").click()


def test_people_come_and_go(trio: Trio, newcomer: Newcomer, trip: str) -> None:
    ann, bob, cleo = trio
    dan = newcomer("Dan")
    bob.write("before Dan")
    expect(bob.message("before Dan")).to_contain_text("Read by 2 of 2")
    ann.open_details()
    ann.add_to_group(dan)
    expect(ann.members).to_have_count(4)
    expect(ann.messages.last).to_have_text("You added Dan")
    expect(cleo.messages.last).to_have_text("Ann added Dan")
    dan.conversation(trip).click()
    expect(dan.messages.last).to_have_text("Ann added you")
    expect(dan.message("before Dan")).to_have_count(0)
    bob.write("with Dan")
    expect(bob.message("with Dan")).to_contain_text("Read by 3 of 3")
    expect(bob.message("before Dan")).to_contain_text("Read by 2 of 3")
    cleo.open_details()
    cleo.leave_group()
    for person in (ann, bob, dan):
        expect(person.messages.last).to_have_text("Cleo left")
    expect(ann.members).to_have_count(3)
    expect(bob.message("with Dan")).to_contain_text("Read by 2 of 2")


def test_who_has_left_reads_on_but_cannot_write(trio: Trio) -> None:
    ann, bob, cleo = trio
    cleo.box.fill("half a sent")
    cleo.open_details()
    cleo.leave_group()
    expect(cleo.messages.last).to_have_text("You left")
    expect(cleo.box).to_have_count(0)
    expect(cleo.page.get_by_text("Not sent: half a sent")).to_be_visible()
    expect(cleo.log).to_be_focused()
    ann.write("after Cleo")
    expect(bob.message("after Cleo")).to_be_visible()
    cleo.page.reload()
    expect(cleo.messages).to_have_text(["Ann made this group", "You left"])
    expect(cleo.box).to_have_count(0)
    ann.open_details()
    ann.add_to_group(cleo)
    expect(cleo.messages.last).to_have_text("Ann added you")
    expect(cleo.box).to_have_value("half a sent")
    expect(cleo.message("after Cleo")).to_have_count(0)


def test_what_was_written_while_away_keeps_its_order(trio: Trio) -> None:
    ann, bob, cleo = trio
    ann.fill_in_group("Later", bob)
    ann.context.set_offline(True)
    expect(ann.status).to_be_visible()
    ann.page.get_by_role("button", name="Create group").click()
    ann.write("first")
    ann.write("second")
    expect(ann.messages).to_contain_text(["Making this group", "first", "second"])
    expect(ann.log).not_to_contain_text("Say hello")
    ann.context.set_offline(False)
    bob.conversation("Later").click()
    expect(bob.messages).to_contain_text(["Ann made this group", "first", "second"])
    expect(ann.messages).to_have_count(3)
    expect(cleo.conversation("Later")).to_have_count(0)


def test_messages_are_changed_and_deleted(trio: Trio, trip: str) -> None:
    ann, bob, cleo = trio
    bob.write("at nien")
    bob.choose_for("at nien", "Edit")
    expect(bob.box).to_have_value("at nien")
    bob.write("")
    expect(bob.page.get_by_role("alert")).to_contain_text("delete it instead")
    bob.write("at nine")
    expect(bob.page.get_by_role("alert")).to_have_count(0)
    for person in (ann, bob, cleo):
        expect(person.messages.last).to_contain_text("at nine")
        expect(person.messages.last).to_contain_text("edited")
    bob.choose_for("at nine", "Edit")
    bob.box.fill("at ten")
    cleo.choose_for("at nine", "Reply")
    ann.choose_for("at nine", "Delete")
    dialog = ann.page.get_by_role("dialog", name="Delete message")
    dialog.get_by_role("button", name="Delete", exact=True).click()
    expect(ann.box).to_be_focused()
    for person in (ann, bob, cleo):
        expect(person.messages.last).to_contain_text("Message deleted")
        expect(person.page.get_by_role("main")).not_to_contain_text("nine")
    expect(cleo.conversation(trip)).to_contain_text("Message deleted")
    expect(bob.page.get_by_text("Edit your message")).to_have_count(0)
    expect(bob.box).to_have_value("at ten")


def test_what_is_not_ones_own_cannot_be_changed(trio: Trio) -> None:
    ann, _, cleo = trio
    ann.write("mine")
    cleo.message("mine").get_by_role("button", name="Message actions").click()
    menu = cleo.page.get_by_role("menu", name="Message actions")
    expect(menu.get_by_role("menuitem", name="Reply")).to_be_visible()
    for item in ("Edit", "Delete", "Who has read"):
        expect(menu.get_by_role("menuitem", name=item)).to_have_count(0)


def test_reactions_are_counted(trio: Trio, trip: str) -> None:
    ann, bob, cleo = trio
    ann.write("cake?")
    for person in (bob, cleo):
        person.choose_for("cake?", "React with 👍")
    chip = ann.message("cake?").get_by_role("button", name="👍 2")
    expect(chip).to_have_attribute("aria-pressed", "false")
    ann.choose_for("cake?", "React with 🎉")
    mine = ann.message("cake?").get_by_role("button", name="🎉 1")
    mine.press("Enter")
    expect(mine).to_have_count(0)
    expect(ann.message("cake?").get_by_role("button", name="Message actions")).to_be_focused()
    chip.click()
    expect(bob.message("cake?").get_by_role("button", name="👍 3")).to_be_visible()
    bob.choose_for("cake?", "Who has reacted")
    dialog = bob.page.get_by_role("dialog", name="Who has reacted")
    bob.page.keyboard.press("Tab")
    expect(dialog.get_by_role("region", name="People")).to_be_focused()
    listed = dialog.get_by_role("list", name="👍").get_by_role("listitem")
    expect(listed).to_have_text([re.compile(name) for name in ("Bob", "Cleo", "Ann")])
    dialog.get_by_role("button", name="Close").click()
    bob.message("cake?").get_by_role("button", name="👍 3").click()
    expect(ann.message("cake?").get_by_role("button", name="👍 2")).to_be_visible()
    cleo.page.goto("/")
    expect(cleo.conversation(trip)).to_contain_text("cake?")
    cleo.conversation(trip).click()
    expect(cleo.message("cake?").get_by_role("button", name="👍 2")).to_be_visible()


def test_a_reply_shows_what_it_is_to_and_leads_there(trio: Trio) -> None:
    ann, bob, _ = trio
    ann.write("who drives?")
    bob.choose_for("who drives?", "Reply")
    expect(bob.box).to_be_focused()
    bob.write("I do")
    quote = ann.message("I do").get_by_role("button", name="In reply to You: who drives?")
    quote.click()
    opener = ann.messages.nth(1).get_by_role("button", name="Message actions")
    expect(opener).to_be_focused()
    expect(ann.page.get_by_role("button", name="To the newest")).to_have_count(0)
    bob.write("far\n" * 40)
    bob.write("and back.")
    expect(ann.message("and back.")).to_be_in_viewport()


def test_the_keyboard_alone_reaches_a_message_and_its_menu(trio: Trio) -> None:
    ann, bob, _ = trio
    for text in ("one", "two"):
        ann.write(text)
        expect(bob.message(text)).to_be_visible()
    keyboard = ann.page.keyboard
    expect(ann.box).to_be_focused()
    keyboard.press("Shift+Tab")
    expect(ann.message("two").get_by_role("button", name="Message actions")).to_be_focused()
    keyboard.press("ArrowUp")
    expect(ann.message("one").get_by_role("button", name="Message actions")).to_be_focused()
    keyboard.press("Enter")
    for _ in range(20):
        if ann.page.evaluate("document.activeElement.textContent.trim()") == "Edit":
            break
        keyboard.press("ArrowDown")
    keyboard.press("Enter")
    expect(ann.box).to_be_focused()
    expect(ann.box).to_have_value("one")
    keyboard.press("Escape")
    expect(ann.box).to_have_value("")


def test_an_owner_names_appoints_and_removes(trio: Trio, trip: str) -> None:
    ann, bob, cleo = trio
    ann.open_details()
    ann.details.get_by_role("button", name="Rename").click()
    dialog = ann.page.get_by_role("dialog", name="Rename group")
    dialog.get_by_role("textbox", name="Group name").fill("  ")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_have_text("Fill in Group name.")
    dialog.get_by_role("textbox", name="Group name").fill(f"{trip} again")
    dialog.get_by_role("button", name="Save").click()
    for person in (ann, bob, cleo):
        expect(person.page.get_by_role("heading", level=1, name=f"{trip} again")).to_be_visible()
    ann.choose_for_member("Bob", "Make admin")
    expect(bob.messages.last).to_have_text("Ann made you an admin")
    bob.open_details()
    cleo.open_details()
    bob.choose_for_member("Cleo", "Remove from group")
    dialog = bob.page.get_by_role("dialog", name="Remove from group")
    dialog.get_by_role("button", name="Remove", exact=True).click()
    expect(bob.members).to_have_count(2)
    expect(bob.details.get_by_role("list", name="Members")).to_be_focused()
    expect(cleo.messages.last).to_have_text("Bob removed you")
    expect(cleo.box).to_have_count(0)
    expect(cleo.log).to_be_focused()
    expect(ann.messages.last).to_have_text("Bob removed Cleo")
    expect(ann.members).to_have_text(
        [re.compile("Ann.*You.*Owner"), re.compile("Bob.*Admin")],
    )
    ann.add_to_group(cleo)
    expect(cleo.box).to_be_focused()
    expect(cleo.details).to_have_count(0)


def test_an_owner_hands_the_group_on(trio: Trio) -> None:
    ann, bob, _ = trio
    ann.open_details()
    ann.choose_for_member("Bob", "Make owner")
    dialog = ann.page.get_by_role("dialog", name="Make owner")
    dialog.get_by_role("button", name="Make owner").click()
    expect(bob.messages.last).to_have_text("Ann made you the owner of this group")
    expect(ann.members).to_have_text(
        [re.compile("Ann.*You.*Admin"), re.compile("Bob.*Owner"), re.compile("Cleo")],
    )
    expect(ann.details.get_by_role("list", name="Members")).to_be_focused()


def test_a_rule_that_waits_stays_as_it_was_set(trio: Trio) -> None:
    ann, bob, _ = trio
    ann.open_details()
    rule = ann.details.get_by_role("checkbox", name="New members see earlier messages")
    ann.context.set_offline(True)
    expect(ann.status).to_be_visible()
    rule.check()
    expect(ann.messages.last).to_have_text("Changing this group…")
    expect(rule).to_be_checked()
    ann.context.set_offline(False)
    expect(bob.messages.last).to_have_text("Ann let new members see earlier messages")
    expect(ann.messages.last).to_have_text("You let new members see earlier messages")
    expect(rule).to_be_checked()


def test_what_was_being_written_outlives_the_box(trio: Trio) -> None:
    ann, bob, _ = trio
    bob.write("at nien")
    bob.box.fill("half a sent")
    bob.choose_for("at nien", "Edit")
    bob.box.fill("at nine")
    ann.open_details()
    rule = ann.details.get_by_role("checkbox", name="Only admins write")
    rule.click()
    expect(bob.box).to_have_count(0)
    for text in ("half a sent", "at nine"):
        expect(bob.page.get_by_text(f"Not sent: {text}")).to_be_visible()
    rule.click()
    expect(bob.box).to_have_value("at nine")
    bob.box.press("Enter")
    expect(ann.message("at nine")).to_contain_text("edited")
    expect(bob.box).to_have_value("half a sent")


def test_a_group_is_for_announcements_and_then_closed(trio: Trio) -> None:
    ann, bob, _ = trio
    ann.open_details()
    rule = ann.details.get_by_role("checkbox", name="Only admins write")
    rule.click()
    expect(rule).to_be_checked()
    expect(bob.messages.last).to_have_text("Ann let only admins write here")
    expect(bob.box).to_have_count(0)
    ann.write("hear, hear")
    expect(bob.message("hear, hear")).to_be_visible()
    ann.details.get_by_role("button", name="End group").click()
    dialog = ann.page.get_by_role("dialog", name="End group")
    dialog.get_by_role("button", name="End for everybody").click()
    for person in (ann, bob):
        expect(person.messages.last).to_contain_text("closed this group")
        expect(person.box).to_have_count(0)
    bob.page.reload()
    expect(bob.page.get_by_text("This group is closed. It can still be read.")).to_be_visible()
    bob.open_details()
    bob.leave_group()
    expect(bob.messages.last).to_have_text("You left")


def test_the_last_one_in_a_group_is_told_that_it_ends(newcomer: Newcomer) -> None:
    ann, bob = newcomer("Ann"), newcomer("Bob")
    ann.make_group("Two", bob)
    ann.open_details()
    expect(ann.members).to_have_count(2)
    leaving = ann.page.get_by_role("dialog", name="Leave group")
    leave = ann.details.get_by_role("button", name="Leave group")
    leave.click()
    expect(leaving).to_contain_text("You will get no more messages of “Two”.")
    expect(leaving).not_to_contain_text("ends")
    ann.page.keyboard.press("Escape")
    bob.conversation("Two").click()
    bob.open_details()
    bob.leave_group()
    expect(ann.members).to_have_count(1)
    leave.click()
    expect(leaving).to_contain_text("You are the last one in “Two”: if you leave, the group ends")
    leaving.get_by_role("button", name="Leave", exact=True).click()
    expect(ann.messages.last).to_have_text("You left")


def test_a_group_name_is_as_long_as_it_may_be_and_not_cut(newcomer: Newcomer) -> None:
    ann = newcomer("Ann")
    ann.fill_in_group("🎉" * 65)
    ann.page.get_by_role("button", name="Create group").click()
    dialog = ann.page.get_by_role("dialog", name="New group")
    expect(dialog.get_by_role("alert")).to_have_text("Group name is longer than 64 characters.")
    dialog.get_by_role("textbox", name="Group name").press("End")
    dialog.get_by_role("textbox", name="Group name").press("Backspace")
    expect(dialog.get_by_role("alert")).to_have_count(0)
    ann.page.get_by_role("button", name="Create group").click()
    expect(ann.page.get_by_role("heading", level=1, name="🎉" * 64, exact=True)).to_be_visible()
