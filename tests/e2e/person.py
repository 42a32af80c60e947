"""Somebody at a browser, who finds everything by its role and its name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.e2e.browsing import WAIT_MS

PASSWORD: Final = "a password for tests"


@dataclass(frozen=True, slots=True)
class Person:
    """A browser of one's own with a page in it."""

    uid: str
    name: str
    context: BrowserContext
    page: Page

    @classmethod
    def arrive(cls, browser: Browser, url: str, uid: str, **options: Any) -> Person:
        """Open the server's first page. `options`: the browser context's."""
        person = cls._sit_down(browser, url, uid, "", options)
        person.page.goto("/")
        return person

    @classmethod
    def with_account(
        cls, browser: Browser, url: str, uid: str, name: str, **options: Any
    ) -> Person:
        """Arrive logged in to an account that is new."""
        person = cls._sit_down(browser, url, uid, name, options)
        account = {"uid": uid, "name": name, "password": PASSWORD}
        answer = person.context.request.post("/api/v1/register", data=account)
        assert answer.ok, answer.text()
        person.page.goto("/")
        expect(person.conversations).to_be_visible()
        return person

    @classmethod
    def _sit_down(
        cls, browser: Browser, url: str, uid: str, name: str, options: dict[str, Any]
    ) -> Person:
        context = browser.new_context(base_url=url, **options)
        context.set_default_timeout(WAIT_MS)
        return cls(uid, name, context, context.new_page())

    def leave(self) -> None:
        """Close the browser."""
        self.context.close()

    # Getting in

    def register(self, name: str) -> None:
        """Create the account."""
        self.page.get_by_role("link", name="Create an account").click()
        self.page.get_by_role("textbox", name="User ID").fill(self.uid)
        self.page.get_by_role("textbox", name="Name").fill(name)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Create account").click()
        expect(self.conversations).to_be_visible()

    def log_in(self, password: str = PASSWORD) -> None:
        """Fill in the form and send it."""
        self.page.get_by_role("textbox", name="User ID").fill(self.uid)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Log in").click()

    def log_in_elsewhere(self, browser: Browser, url: str) -> Person:
        """Log in to the same account at another browser, too."""
        elsewhere = Person.arrive(browser, url, self.uid)
        elsewhere.log_in()
        expect(elsewhere.conversations).to_be_visible()
        return elsewhere

    # What is on the page

    @property
    def conversations(self) -> Locator:
        """The list's navigation."""
        return self.page.get_by_role("navigation", name="Conversations")

    def conversation(self, name: str) -> Locator:
        """The list's link to one."""
        return self.conversations.get_by_role("link", name=re.compile(f"^{re.escape(name)}"))

    @property
    def log(self) -> Locator:
        """The messages."""
        return self.page.get_by_role("log", name="Messages")

    @property
    def messages(self) -> Locator:
        """Each message and notice."""
        return self.log.get_by_role("article")

    def message(self, text: str) -> Locator:
        """The one with that text."""
        return self.messages.filter(has_text=text)

    @property
    def box(self) -> Locator:
        """Where messages are written."""
        return self.page.get_by_role("textbox", name="Message")

    @property
    def status(self) -> Locator:
        """What is said of the connection."""
        return self.page.get_by_role("status")

    @property
    def session_endings(self) -> Locator:
        """The settings' buttons that end sessions at other browsers, one by one."""
        return self.page.get_by_role("button", name=re.compile("^End the session"))

    # What they do

    def start_with(self, other: Person, name: str) -> None:
        """Begin a conversation with somebody found by their id."""
        self.page.get_by_role("button", name="New conversation").click()
        dialog = self.page.get_by_role("dialog", name="New conversation")
        dialog.get_by_role("searchbox", name="Find people").fill(other.uid)
        dialog.get_by_role("button", name=re.compile(f"^{name}")).click()
        expect(self.page.get_by_role("heading", level=1, name=name)).to_be_visible()

    def ask_to_be_asked(self) -> None:
        """Want to be asked before strangers add one to a group."""
        self.choose_from_account("Settings")
        asked = self.page.get_by_role("checkbox", name="Ask me before strangers add me to a group")
        with self.page.expect_response("**/api/v1/me"):
            asked.check()

    def make_group(self, name: str, *people: Person) -> None:
        """Make a group of people found by their ids."""
        self.fill_in_group(name, *people)
        self.page.get_by_role("button", name="Create group").click()
        expect(self.page.get_by_role("heading", level=1, name=name)).to_be_visible()

    def fill_in_group(self, name: str, *people: Person) -> None:
        """Say what a new group is called and who is in it, without making it yet."""
        self.page.get_by_role("button", name="New group").click()
        dialog = self.page.get_by_role("dialog", name="New group")
        dialog.get_by_role("textbox", name="Group name").fill(name)
        self._check(dialog, people)

    def add_to_group(self, *people: Person) -> None:
        """Add people, found by their ids, with the group's details open."""
        self.details.get_by_role("button", name="Add people").click()
        dialog = self.page.get_by_role("dialog", name="Add people")
        self._check(dialog, people)
        dialog.get_by_role("button", name="Add", exact=True).click()

    def _check(self, dialog: Locator, people: tuple[Person, ...]) -> None:
        for person in people:
            dialog.get_by_role("searchbox", name="Find people").fill(person.uid)
            dialog.get_by_role("checkbox", name=person.name, exact=True).check()

    @property
    def details(self) -> Locator:
        """Who is in the open group."""
        return self.page.get_by_role("complementary", name="Group details")

    @property
    def members(self) -> Locator:
        """Those of the group's details."""
        return self.details.get_by_role("list", name="Members").get_by_role("listitem")

    def open_details(self) -> None:
        """Show who is in the open group."""
        self.page.get_by_role("button", name="Group details").click()
        expect(self.details).to_be_visible()

    def leave_group(self) -> None:
        """Leave the open group, whose details are open."""
        self.details.get_by_role("button", name="Leave group").click()
        dialog = self.page.get_by_role("dialog", name="Leave group")
        dialog.get_by_role("button", name="Leave", exact=True).click()

    def choose_for_member(self, name: str, item: str) -> None:
        """Something of a member's menu in the group's details, which are open."""
        self.details.get_by_role("button", name=f"Actions for {name}").click()
        self.page.get_by_role("menuitem", name=item).click()

    def choose_for(self, text: str, item: str) -> None:
        """Something of a message's menu."""
        self.message(text).get_by_role("button", name="Message actions").click()
        self.page.get_by_role("menuitem", name=item).click()

    def write(self, text: str) -> None:
        """Write a message and send it by the keyboard."""
        self.box.fill(text)
        self.box.press("Enter")

    def choose_from_account(self, item: str) -> None:
        """Something of the account's menu."""
        self.page.get_by_role("button", name="Account").click()
        self.page.get_by_role("menuitem", name=item).click()
