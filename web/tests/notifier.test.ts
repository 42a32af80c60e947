/** What is told outside the page, and when. */

import { describe, expect, test } from "vitest";
import { Notifier } from "../src/state/notifier.svelte.ts";
import { FakeStorage } from "./browser.ts";
import { entry, item } from "./fakes.ts";
import { CONV, live } from "./page.ts";

describe("a page", () => {
  test("tells of the newest message of somebody else, once for a burst", async () => {
    const { channel, clock, notifier } = await live(2);
    channel.tell(entry(3));
    channel.tell(entry(4));
    await clock.pass(1_000);
    expect(notifier.told).toEqual([`${CONV} Bob: text 4`]);
  });

  test("tells of no own message, notice, change, or what is read elsewhere by then", async () => {
    const { channel, clock, notifier } = await live(2);
    channel.tell(entry(3, { From: "ann" }));
    channel.tell(entry(4, { EvtType: "join", Body: "[]" }));
    channel.tell(entry(5, { EvtType: "edit", Refers: 1, Body: "better" }));
    await clock.pass(1_000);
    channel.tell(entry(6));
    channel.tell({ EvtType: "position", ConvID: CONV, delivered: 6, displayed: 6, N: 6 });
    await clock.pass(1_000);
    channel.tell(entry(7));
    channel.tell(entry(8, { EvtType: "delete", Refers: 7, Body: "" }));
    await clock.pass(1_000);
    expect(notifier.told).toEqual([]);
  });

  test("that was away tells of what is not read by then, which the list says, however late", async () => {
    const { api, channel, clock, notifier } = await live(2);
    const cleo = { ConvID: "dm:ann:cleo", From: "cleo" };
    api.list = [item(entry(4)), item(entry(1, cleo), { name: "Cleo", displayed: 0, unread: 1 })];
    const answer = api.conversations.bind(api);
    let arrive = () => {};
    const late = new Promise<void>((resolve) => {
      arrive = resolve;
    });
    api.conversations = async () => {
      await late;
      return answer();
    };
    await channel.lose();
    await channel.connect();
    clock.set = -60_000;
    for (const missed of [entry(3), entry(1, cleo)]) channel.tell(missed);
    await clock.pass(1_000);
    channel.tell(entry(4));
    await clock.pass(1_000);
    const told = [...notifier.told];
    arrive();
    await clock.pass(1_000);
    expect([told, notifier.told]).toEqual([[], ["dm:ann:cleo Cleo: text 1"]]);
    channel.tell(entry(5));
    await clock.pass(1_000);
    expect(notifier.told[1]).toBe(`${CONV} Bob: text 5`);
  });
});

/** A browser that answers `permission`, and a page that nobody looks at. */
function browser(permission: NotificationPermission, storage = new FakeStorage()) {
  const shown: FakeNotification[] = [];
  let asked = 0;
  class FakeNotification {
    static permission: NotificationPermission = "default";
    static async requestPermission(): Promise<NotificationPermission> {
      asked += 1;
      FakeNotification.permission = permission;
      return permission;
    }
    open = true;
    onclick: () => void = () => {};
    readonly says: string;
    constructor(title: string, { body, tag }: NotificationOptions) {
      this.says = `${tag} ${title}: ${body}`;
      if (FakeNotification.permission === "granted") shown.push(this);
    }
    close(): void {
      this.open = false;
    }
  }
  const attention = { present: false };
  const elsewhere = { present: false };
  const chosen: string[] = [];
  const make = (offer: unknown = FakeNotification) =>
    new Notifier(offer as typeof Notification, storage, attention, elsewhere, (conv) =>
      chosen.push(conv),
    );
  return { make, notifier: make(), attention, elsewhere, chosen, shown, asked: () => asked };
}

describe("notifications", () => {
  test("are asked for when they are wanted, and not before", async () => {
    const { make, notifier, shown, asked } = browser("granted");
    notifier.tell(CONV, "Bob", "hi");
    expect([asked(), shown.length, notifier.on]).toEqual([0, 0, false]);
    await notifier.want(true);
    notifier.tell(CONV, "Bob", "hi");
    expect(shown.map(({ says }) => says)).toEqual([`${CONV} Bob: hi`]);
    const reloaded = make();
    expect([reloaded.on, asked()]).toEqual([true, 1]);
    await reloaded.want(false);
    reloaded.tell(CONV, "Bob", "hi");
    expect([shown.length, make().on]).toEqual([1, false]);
  });

  test("that the browser does not allow stay off, with a reason", async () => {
    const { make, notifier } = browser("denied");
    await expect(notifier.want(true)).rejects.toThrow("does not allow");
    expect([notifier.on, make().on]).toEqual([false, false]);
  });

  test("are not for who looks at the page, and go when somebody does", async () => {
    const { notifier, attention, shown } = browser("granted");
    await notifier.want(true);
    notifier.tell(CONV, "Bob", "hi");
    attention.present = true;
    notifier.clear();
    notifier.tell(CONV, "Bob", "hi again");
    expect(shown.map(({ open }) => open)).toEqual([false]);
  });

  test("are not for who looks at another page of the browser", async () => {
    const { notifier, elsewhere, shown } = browser("granted");
    await notifier.want(true);
    elsewhere.present = true;
    notifier.tell(CONV, "Bob", "hi");
    expect([notifier.watched, shown.length]).toEqual([true, 0]);
    elsewhere.present = false;
    notifier.tell(CONV, "Bob", "hi again");
    expect([notifier.watched, shown.length]).toEqual([false, 1]);
  });

  test("lead to their conversation", async () => {
    const { notifier, chosen, shown } = browser("granted");
    await notifier.want(true);
    notifier.tell(CONV, "Bob", "x".repeat(1_000));
    shown[0]?.onclick();
    expect([chosen, shown[0]?.open]).toEqual([[CONV], false]);
    expect(shown[0]?.says.length).toBeLessThan(250);
  });

  test("are what another page of the browser wants of them", async () => {
    const { make, notifier } = browser("granted");
    const view = new EventTarget();
    const elsewhere = make();
    elsewhere.follow(view as Window);
    const on: boolean[] = [];
    for (const [wanted, key] of [
      [true, "webchat:device"],
      [true, "webchat:notifications"],
      [false, null],
    ] as const) {
      await notifier.want(wanted);
      view.dispatchEvent(Object.assign(new Event("storage"), { key }));
      on.push(elsewhere.on);
    }
    expect(on).toEqual([false, true, false]);
  });

  test("are nothing where the browser has none, or in name only", async () => {
    const storage = new FakeStorage();
    const { make } = browser("granted", storage);
    const none = new Notifier(undefined, null, { present: false }, { present: false }, () => {});
    expect(none.offered).toBe(false);
    none.tell(CONV, "Bob", "hi");
    class InNameOnly {
      static permission = "granted";
      constructor() {
        throw new TypeError("Illegal constructor");
      }
    }
    const nominal = make(InNameOnly);
    await expect(nominal.want(true)).rejects.toThrow("cannot show");
    storage.setItem("webchat:notifications", "on");
    const kept = make(InNameOnly);
    kept.tell(CONV, "Bob", "hi");
    expect([nominal.on, kept.on]).toEqual([false, false]);
  });
});
