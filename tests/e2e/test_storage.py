"""The browser keeps nothing, or drops what it kept: one chats all the same."""

from __future__ import annotations

from playwright.sync_api import Browser, expect

from tests.e2e.conftest import Newcomer
from tests.e2e.person import Person
from tests.servers import Server

_FILL = """() => {
  let number = 0;
  for (const size of [1 << 20, 1 << 16, 1 << 10, 16, 1]) {
    try {
      for (;;) localStorage.setItem(`filler ${number++}`, "x".repeat(size));
    } catch {
      // The next ones are smaller.
    }
  }
}"""


_KEPT = """async ([name, most]) => {
  const settled = (request) => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  for (;;) {
    const there = await indexedDB.databases();
    if (there.some((each) => each.name === name)) {
      const db = await settled(indexedDB.open(name));
      const kept = await settled(db.transaction("outbox").objectStore("outbox").count());
      db.close();
      if (kept === most) return;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}"""
"""Resolves once so many messages that wait are kept."""


def test_a_browser_whose_storage_is_full_logs_in_and_chats(
    browser: Browser, shared_server: Server
) -> None:
    fay = Person.arrive(browser, shared_server.url, "fay")
    fay.page.evaluate(_FILL)
    fay.register("Fay")
    fay.start_with(fay, "Fay")
    fay.write("a note")
    expect(fay.message("a note")).to_contain_text("Sent")
    fay.leave()


def test_messages_go_on_where_the_browser_has_cleared_what_it_kept(
    newcomer: Newcomer, shared_server: Server
) -> None:
    ann, bob = newcomer("Ann"), newcomer("Bob")
    ann.start_with(bob, "Bob")
    ann.write("before")
    expect(ann.message("before")).to_contain_text("Delivered")
    ann.context.set_offline(True)
    expect(ann.status).to_have_text("Offline. Messages will be sent later")
    ann.write("waited")
    cleared = {"origin": shared_server.url, "storageTypes": "indexeddb"}
    ann.context.new_cdp_session(ann.page).send("Storage.clearDataForOrigin", cleared)
    ann.write("after")
    expect(ann.message("after")).to_contain_text("Sending")
    ann.page.evaluate(_KEPT, [f"webchat:{ann.uid}", 2])
    ann.page.goto("about:blank")
    ann.context.set_offline(False)
    ann.page.go_back()
    for text in ("waited", "after"):
        expect(ann.message(text)).to_contain_text("Delivered")
    expect(ann.messages).to_have_count(3)
    bob.conversation("Ann").click()
    expect(bob.messages).to_contain_text(["before", "waited", "after"])


def test_a_browser_that_never_opens_its_storage_chats_all_the_same(
    browser: Browser, shared_server: Server
) -> None:
    gil = Person.arrive(browser, shared_server.url, "gil")
    silent = "IDBFactory.prototype.open = () => new EventTarget();"
    gil.context.add_init_script(silent)
    gil.page.reload()
    gil.register("Gil")
    gil.start_with(gil, "Gil")
    gil.write("a note")
    expect(gil.message("a note")).to_contain_text("Sent")
    gil.leave()
