/** Messages leave in order, once each, and outlive what goes wrong on the way. */

import { describe, expect, test } from "vitest";
import { MemoryOutbox } from "../src/db/memory.ts";
import { Outbox } from "../src/state/outbox.svelte.ts";
import type { OutboxStore, Pages, Pending } from "../src/state/ports.ts";
import { Failure, UNREACHABLE } from "../src/wire/failure.ts";
import type { Outgoing } from "../src/wire/wire.ts";
import { FakeBrowser, FakeChannel, ManualClock, settle } from "./fakes.ts";

const CONV = "dm:ann:bob";

/** A store that the browser clears. */
class ForgetfulOutbox extends MemoryOutbox {
  #lost: () => void = () => {};

  override whenLost(act: () => void): void {
    this.#lost = act;
  }

  async lose(): Promise<void> {
    for (const { id } of await this.all()) await this.remove(id);
    this.#lost();
    await settle();
  }
}

function setup(store: OutboxStore = new MemoryOutbox(), page?: Pages) {
  const channel = new FakeChannel();
  channel.connected = true;
  const clock = new ManualClock();
  const sent: Outgoing[] = [];
  let strangers = 0;
  const outbox = new Outbox(
    "ann",
    channel,
    store,
    page ?? new FakeBrowser().page("page-1"),
    clock,
    {
      sent: (message) => sent.push(message),
      found: () => {},
      unauthenticated: () => {
        strangers += 1;
      },
    },
  );
  const bodies = () => channel.bodies("chat").map((message) => message.Body);
  return { outbox, channel, clock, store, sent, bodies, strangers: () => strangers };
}

describe("order", () => {
  test("a conversation's next message leaves after the ack of the one before", async () => {
    const { outbox, channel, bodies } = setup();
    outbox.resume();
    void outbox.send(CONV, "one");
    void outbox.send(CONV, "two");
    await settle();
    expect(bodies()).toEqual(["one"]);
    channel.requests[0]?.ok();
    await settle();
    expect(bodies()).toEqual(["one", "two"]);
  });

  test("conversations do not wait for each other", async () => {
    const { outbox, bodies } = setup();
    outbox.resume();
    void outbox.send(CONV, "to bob");
    void outbox.send("dm:ann:cleo", "to cleo");
    await settle();
    expect(bodies()).toEqual(["to bob", "to cleo"]);
  });

  test("messages of one millisecond keep the order they were written in", async () => {
    const { outbox, store } = setup();
    for (const text of ["a", "b", "c"]) await outbox.send(CONV, text);
    expect((await store.all()).map((each) => each.text)).toEqual(["a", "b", "c"]);
  });

  test("what waits behind a refused message goes on", async () => {
    const { outbox, channel, bodies } = setup();
    outbox.resume();
    void outbox.send(CONV, "bad");
    void outbox.send(CONV, "good");
    await settle();
    channel.requests[0]?.fail(new Failure("forbidden", "no"));
    await settle();
    expect(bodies()).toEqual(["bad", "good"]);
  });
});

describe("what is given up", () => {
  test("is not sent, and kept no longer", async () => {
    const { outbox, store, bodies } = setup();
    await outbox.send(CONV, "one");
    await outbox.send(CONV, "two");
    outbox.giveUp();
    outbox.resume();
    await settle();
    expect([outbox.items, await store.all(), bodies()]).toEqual([[], [], []]);
  });
});

describe("what goes wrong", () => {
  test("nothing leaves before the connection is live", async () => {
    const { outbox, bodies } = setup();
    await outbox.send(CONV, "later");
    expect(bodies()).toEqual([]);
    outbox.resume();
    await settle();
    expect(bodies()).toEqual(["later"]);
  });

  test("a message without an answer is sent again with the same MsgID", async () => {
    const { outbox, channel } = setup();
    outbox.resume();
    void outbox.send(CONV, "hello");
    await settle();
    channel.requests[0]?.fail(new Failure(UNREACHABLE, "lost"));
    outbox.pause();
    await settle();
    outbox.resume();
    await settle();
    const [first, second] = channel.bodies("chat");
    expect(second?.Body).toBe("hello");
    expect(second?.MsgID).toBe(first?.MsgID);
  });

  test("the server's time to wait is kept, and not by all to the millisecond", async () => {
    const { outbox, channel, clock, bodies } = setup();
    outbox.resume();
    void outbox.send(CONV, "hello");
    await settle();
    channel.requests[0]?.fail(new Failure("rate_limited", "slow down", 4_000));
    await clock.pass(4_000);
    expect(bodies()).toHaveLength(1);
    await clock.pass(500);
    expect(bodies()).toHaveLength(2);
  });

  test("a refusal stays visible until it is tried again", async () => {
    const { outbox, channel } = setup();
    outbox.resume();
    void outbox.send(CONV, "hello");
    await settle();
    channel.requests[0]?.fail(new Failure("forbidden", "you may not"));
    await settle();
    expect(outbox.of(CONV).map((each) => each.refusal)).toEqual(["you may not"]);
    void outbox.retry(outbox.of(CONV)[0]?.id ?? "");
    await settle();
    expect(outbox.of(CONV)[0]).not.toHaveProperty("refusal");
    expect(outbox.of(CONV)[0]).not.toHaveProperty("code");
    channel.requests[1]?.ok();
    await settle();
    expect(outbox.of(CONV)).toEqual([]);
  });

  test("internal errors are not tried for ever", async () => {
    const { outbox, channel, clock } = setup();
    outbox.resume();
    void outbox.send(CONV, "hello");
    for (let at = 0; at < 5; at += 1) {
      await clock.pass(60_000);
      channel.requests[at]?.fail(new Failure("internal", "a bug"));
    }
    await clock.pass(60_000);
    expect(channel.requests).toHaveLength(5);
    expect(outbox.of(CONV)[0]?.refusal).toBe("a bug");
  });

  test("an unknown sender is told and keeps the message", async () => {
    const { outbox, channel, strangers } = setup();
    outbox.resume();
    void outbox.send(CONV, "hello");
    await settle();
    channel.requests[0]?.fail(new Failure("unauthenticated", "join first"));
    await settle();
    expect(strangers()).toBe(1);
    expect(outbox.of(CONV)[0]?.refusal).toBeUndefined();
  });

  test("a browser that is slow to keep a message sends it meanwhile, and then forgets it", async () => {
    const store = new MemoryOutbox();
    const begun: string[] = [];
    const { outbox, channel, bodies } = setup(
      Object.assign(store, {
        put: (item: Pending) => new Promise<void>(() => begun.push(`put ${item.id}`)),
        remove: async (id: string) => void begun.push(`remove ${id}`),
      }),
    );
    outbox.resume();
    void outbox.send(CONV, "hello");
    await settle();
    expect([begun, bodies()]).toEqual([["put msg-1"], ["hello"]]);
    channel.requests[0]?.fail(new Failure("forbidden", "no"));
    await settle();
    void outbox.retry("msg-1");
    await settle();
    expect(bodies()).toEqual(["hello", "hello"]);
    channel.requests[1]?.ok();
    await settle();
    expect(begun.at(-1)).toBe("remove msg-1");
  });

  test("a browser without storage sends all the same", async () => {
    const broken: OutboxStore = {
      all: () => Promise.reject(new Error("no storage")),
      put: () => Promise.reject(new Error("no storage")),
      remove: () => Promise.reject(new Error("no storage")),
      whenLost: () => {},
    };
    const { outbox, channel, bodies } = setup(broken);
    outbox.resume();
    void outbox.send(CONV, "hello");
    await settle();
    expect(bodies()).toEqual(["hello"]);
    channel.requests[0]?.ok();
    await settle();
    expect(outbox.items).toEqual([]);
  });
});

describe("a reload", () => {
  test("the next page sends what the closed one left, in order and with its MsgIDs", async () => {
    const store = new MemoryOutbox();
    const browser = new FakeBrowser();
    const before = setup(store, browser.page("page-1"));
    await before.outbox.send(CONV, "one");
    await before.outbox.send(CONV, "two");
    const after = setup(store, browser.page("page-2"));
    await after.outbox.load();
    after.outbox.resume();
    await browser.close("page-1");
    expect(after.outbox.of(CONV).map((each) => each.text)).toEqual(["one", "two"]);
    expect(after.outbox.items.map((each) => each.id)).toEqual(
      before.outbox.items.map((each) => each.id),
    );
    expect(after.bodies()).toEqual(["one"]);
  });

  test("a page that is still open sends its own messages", async () => {
    const store = new MemoryOutbox();
    const browser = new FakeBrowser();
    const first = setup(store, browser.page("page-1"));
    await first.outbox.send(CONV, "one");
    const second = setup(store, browser.page("page-2"));
    await second.outbox.load();
    second.outbox.resume();
    await settle();
    expect(second.bodies()).toEqual([]);
  });

  test("a page whose user logs in again goes on with what it had", async () => {
    const store = new MemoryOutbox();
    const page = new FakeBrowser().page("page-1");
    await setup(store, page).outbox.send(CONV, "one");
    const again = setup(store, page);
    await again.outbox.load();
    again.outbox.resume();
    await settle();
    expect(again.bodies()).toEqual(["one"]);
  });

  test("of two pages one takes over", async () => {
    const store = new MemoryOutbox();
    const browser = new FakeBrowser();
    await setup(store, browser.page("page-1")).outbox.send(CONV, "one");
    const pages = [setup(store, browser.page("page-2")), setup(store, browser.page("page-3"))];
    for (const page of pages) {
      await page.outbox.load();
      page.outbox.resume();
    }
    await browser.close("page-1");
    expect(pages.flatMap((page) => page.bodies())).toEqual(["one"]);
  });

  test("a page that was open before sends what another left, ahead of its own later ones", async () => {
    const store = new MemoryOutbox();
    const browser = new FakeBrowser();
    const first = setup(store, browser.page("page-1"));
    const second = setup(store, browser.page("page-2"));
    for (const page of [first, second]) await page.outbox.load();
    await first.outbox.send(CONV, "one");
    await browser.close("page-1");
    await second.outbox.send(CONV, "two");
    expect(second.outbox.of(CONV).map((each) => each.text)).toEqual(["one", "two"]);
    second.outbox.resume();
    await settle();
    expect(second.bodies()).toEqual(["one"]);
  });

  test("a page whose user logs in again writes behind what waits, though the clock was set back", async () => {
    const store = new MemoryOutbox();
    const page = new FakeBrowser().page("page-1");
    const before = setup(store, page);
    await before.clock.pass(3_600_000);
    await before.outbox.send(CONV, "one");
    const again = setup(store, page);
    again.clock.uuid(); // that one is taken
    await again.outbox.load();
    await again.outbox.send(CONV, "two");
    expect((await store.all()).map((each) => each.text)).toEqual(["one", "two"]);
  });

  test("a page writes behind what it takes over, though the clock was set back", async () => {
    const store = new MemoryOutbox();
    const browser = new FakeBrowser();
    const first = setup(store, browser.page("page-1"));
    const second = setup(store, browser.page("page-2"));
    for (const page of [first, second]) await page.outbox.load();
    await first.clock.pass(3_600_000);
    await first.outbox.send(CONV, "one");
    await browser.close("page-1");
    second.clock.uuid(); // that one is taken
    await second.outbox.send(CONV, "two");
    expect((await store.all()).map((each) => each.text)).toEqual(["one", "two"]);
  });

  test("what was taken over is taken over again", async () => {
    const store = new MemoryOutbox();
    const browser = new FakeBrowser();
    const [first, second, third] = ["page-1", "page-2", "page-3"].map((own) =>
      setup(store, browser.page(own)),
    );
    for (const page of [first, second]) await page?.outbox.load();
    await first?.outbox.send(CONV, "one");
    await third?.outbox.load();
    for (const own of ["page-1", "page-2"]) await browser.close(own);
    expect(third?.outbox.of(CONV).map((each) => each.text)).toEqual(["one"]);
  });

  test("what waits outlives a storage that the browser has cleared meanwhile", async () => {
    const store = new ForgetfulOutbox();
    const { outbox, channel } = setup(store);
    await outbox.load();
    outbox.resume();
    for (const text of ["one", "two"]) void outbox.send(CONV, text);
    await settle();
    await store.lose();
    expect((await store.all()).map((each) => each.text)).toEqual(["one", "two"]);
    channel.requests[0]?.ok();
    await settle();
    expect((await store.all()).map((each) => each.text)).toEqual(["two"]);
  });

  test("nobody takes over with a login that is over", async () => {
    const store = new MemoryOutbox();
    const browser = new FakeBrowser();
    await setup(store, browser.page("page-1")).outbox.send(CONV, "one");
    const over = setup(store, browser.page("page-2"));
    await over.outbox.load();
    over.outbox.stop();
    await browser.close("page-1");
    expect(over.outbox.items).toEqual([]);
    expect((await store.all()).map((each) => each.owner)).toEqual(["page-1"]);
  });

  test("an acked message is gone from the storage", async () => {
    const { outbox, channel, store } = setup();
    outbox.resume();
    void outbox.send(CONV, "hello");
    await settle();
    channel.requests[0]?.ok();
    await settle();
    expect(await store.all()).toEqual([]);
  });
});
