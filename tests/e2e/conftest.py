"""A real server and a real browser for the tests of the web client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.e2e.browsing import CHROMIUM, CHROMIUM_ARGUMENTS, WAIT_MS
from tests.e2e.elsewhere import make_group_elsewhere
from tests.e2e.person import Person
from tests.servers import Server

_STATIC = Path(__file__).parents[2] / "src" / "webchat" / "static" / "index.html"
_names = count(1)
_trips = count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of these drive a browser."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)


# A module's: while Playwright's own loop runs, asynchronous tests of other modules cannot.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert CHROMIUM.exists(), f"the browser tests need {CHROMIUM}"
    expect.set_options(timeout=WAIT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=list(CHROMIUM_ARGUMENTS)
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the tests that leave it running."""
    assert _STATIC.exists(), "the web client is not built: make web"
    with Server(tmp_path_factory.mktemp("data"), "--rate-registrations-per-min", "1000") as server:
        yield server


Newcomer = Callable[..., Person]
Trio = tuple[Person, Person, Person]


@pytest.fixture
def newcomer(browser: Browser, shared_server: Server) -> Iterator[Newcomer]:
    """Makes people with accounts of their own, each in a browser of their own."""
    people: list[Person] = []

    def make(name: str, **options: object) -> Person:
        uid = f"{name.lower()}{next(_names)}"
        person = Person.with_account(browser, shared_server.url, uid, name, **options)
        people.append(person)
        return person

    yield make
    for person in people:
        person.leave()


@pytest.fixture(scope="module")
def people(browser: Browser, shared_server: Server) -> Iterator[Trio]:
    """Ann, Bob and Cleo, the same for all tests here."""
    ann, bob, cleo = (
        Person.with_account(browser, shared_server.url, f"{name.lower()}.in.groups", name)
        for name in ("Ann", "Bob", "Cleo")
    )
    yield ann, bob, cleo
    for person in (ann, bob, cleo):
        person.leave()


@pytest.fixture
def trip() -> str:
    """What the group of this test is called."""
    return f"Trip {next(_trips)}."


@pytest.fixture
def trio(people: Trio, trip: str, shared_server: Server) -> Trio:
    """Ann, Bob and Cleo with a group open that Ann has made."""
    group = make_group_elsewhere(shared_server, people[0], trip, *people[1:])
    for person in people:
        person.page.goto(f"/c/{group}", wait_until="commit")
    for person in people:
        expect(person.page.get_by_role("heading", level=1, name=trip)).to_be_visible()
        expect(person.messages).to_have_count(1)
    return people
