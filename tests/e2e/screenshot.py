"""Draws docs/screenshot.png: `python -m tests.e2e.screenshot`, with the web client built."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, expect, sync_playwright

from tests.e2e.browsing import CHROMIUM, CHROMIUM_ARGUMENTS
from tests.e2e.person import Person
from tests.servers import Server

_TARGET: Final = Path(__file__).parents[2] / "docs" / "screenshot.png"
_VIEW: Final = {"width": 1200, "height": 720}
_TALK: Final = (
    ("mara", "Morning! The draft for Thursday is up. Could you read it before lunch?"),
    ("jonas", "Sure. Is it the one with the new drawings?"),
    ("mara", "Yes, this one: https://docs.example.org/thursday"),
    ("mara", "I wrote the last page on the train, half of it in tunnels."),
    ("jonas", "I saw. Your messages came out in order,\neven the three from the long tunnel."),
    ("mara", "As promised: nothing lost, nothing twice."),
    ("jonas", "Reading it now. I will write here when I am through."),
)


def draw(target: Path) -> None:
    """Let some people talk on a server of their own, and keep what one of them sees."""
    with (
        tempfile.TemporaryDirectory() as data,
        Server(Path(data)) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=list(CHROMIUM_ARGUMENTS)
        )
        mara, jonas = _pair(browser, server.url)
        _others(browser, server.url)
        expect(mara.conversations.get_by_role("link", name="unread")).to_have_count(2)
        mara.page.screenshot(path=target)
        jonas.leave()
        browser.close()


def _pair(browser: Browser, url: str) -> tuple[Person, Person]:
    mara = _arrive(browser, url, "mara", "Mara Lind")
    jonas = _arrive(browser, url, "jonas", "Jonas Weber")
    mara.start_with(jonas, "Jonas Weber")
    people = {"mara": mara, "jonas": jonas}
    for at, (uid, text) in enumerate(_TALK):
        people[uid].write(text)
        expect(mara.messages).to_have_count(at + 1)
        if at == 0:
            jonas.conversation("Mara").click()
        expect(jonas.messages).to_have_count(at + 1)
    mara.box.fill("Thank you!")
    return mara, jonas


def _others(browser: Browser, url: str) -> None:
    for uid, name, texts in (
        ("ines", "Ines Duarte", ("Are you coming on Thursday?", "We are eight by now.")),
        ("kofi", "Kofi Mensah", ("The slides are on the shelf.",)),
    ):
        person = _arrive(browser, url, uid, name)
        person.page.goto("/c/" + ":".join(("dm", *sorted((uid, "mara")))))
        for text in texts:
            person.write(text)
            expect(person.message(text)).to_contain_text("Delivered")
        person.leave()


def _arrive(browser: Browser, url: str, uid: str, name: str) -> Person:
    return Person.with_account(browser, url, uid, name, viewport=_VIEW, locale="en-GB")


if __name__ == "__main__":
    draw(_TARGET)
