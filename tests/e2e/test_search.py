"""People are searched for: what is said meanwhile, and that answers are those of what was asked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Locator, Route, expect

from tests.e2e.conftest import Newcomer
from tests.e2e.person import Person

_SEARCHES = "**/api/v1/users?*"


@contextmanager
def _unanswered(person: Person) -> Iterator[None]:
    """What is searched for within is answered at the end."""
    waiting: list[Route] = []
    person.page.route(_SEARCHES, lambda route: waiting.append(route))
    yield
    for route in waiting:
        route.continue_()
    person.page.unroute(_SEARCHES)


def _search(person: Person) -> tuple[Locator, Locator]:
    """A dialog that people are searched in, and where that is written."""
    person.page.get_by_role("button", name="New conversation").click()
    dialog = person.page.get_by_role("dialog", name="New conversation")
    return dialog, dialog.get_by_role("searchbox", name="Find people")


def test_a_search_that_waits_says_so(newcomer: Newcomer) -> None:
    ann, bob = newcomer("Ann"), newcomer("Bob")
    dialog, field = _search(ann)
    expect(dialog.get_by_text("Type a name or a user ID.")).to_be_visible()
    with _unanswered(ann):
        field.fill(bob.uid)
        expect(dialog.get_by_text("Searching…")).to_be_visible()
        expect(dialog.get_by_text("Type a name")).to_have_count(0)
        expect(dialog.locator("[aria-busy=true]")).to_have_count(1)
    expect(dialog.get_by_role("button", name=re.compile("^Bob"))).to_be_visible()
    expect(dialog.locator("[aria-busy=true]")).to_have_count(0)
    expect(dialog.get_by_text("Searching…")).to_have_count(0)
    expect(dialog.get_by_text("1 found")).to_be_attached()
    field.fill("nobody of that name")
    expect(dialog.get_by_text("Nobody found by that name or ID.")).to_be_visible()


def test_what_was_found_for_other_words_is_no_answer(newcomer: Newcomer) -> None:
    ann, bob = newcomer("Ann"), newcomer("Bob")
    dialog, field = _search(ann)
    field.fill(bob.uid)
    found = dialog.get_by_role("button", name=re.compile("^Bob"))
    expect(found).to_be_visible()
    with _unanswered(ann):
        field.fill(f"{bob.uid} and more")
        field.press("Enter")
        expect(dialog.get_by_text("Searching…")).to_be_visible()
        expect(found).to_have_count(0)
    expect(dialog.get_by_text("Nobody found by that name or ID.")).to_be_visible()


def test_a_search_beside_those_who_are_picked_says_that_it_waits(newcomer: Newcomer) -> None:
    ann, bob = newcomer("Ann"), newcomer("Bob")
    ann.fill_in_group("Two", bob)
    dialog = ann.page.get_by_role("dialog", name="New group")
    field = dialog.get_by_role("searchbox", name="Find people")
    with _unanswered(ann):
        field.fill("nobody of that name")
        expect(dialog.get_by_text("Searching…")).to_be_visible()
        expect(dialog.get_by_role("checkbox", name="Bob")).to_be_checked()
    expect(dialog.get_by_text("Nobody found by that name or ID.")).to_be_visible()
    expect(dialog.get_by_role("checkbox", name="Bob")).to_be_checked()
