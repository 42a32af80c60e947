/** Getting in, out, and finding out who is logged in. */

import { describe, expect, test, vi } from "vitest";
import { Client } from "../src/state/client.svelte.ts";
import { OFFLINE } from "../src/state/connection.svelte.ts";
import { Session } from "../src/state/session.svelte.ts";
import { Failure, UNREACHABLE } from "../src/wire/failure.ts";
import { FakeLogins } from "./browser.ts";
import { settle, world } from "./fakes.ts";

/** `broken`: what goes wrong where the page makes its client. */
function setup(broken?: Error) {
  const given = world();
  const logins = new FakeLogins();
  const made: { uid: string; fresh: boolean }[] = [];
  const forgotten: string[] = [];
  const session = new Session(
    given.api,
    given.clock,
    logins,
    async (uid, fresh, owner) => {
      made.push({ uid, fresh });
      if (broken) throw broken;
      return new Client(uid, given, owner);
    },
    {
      forgetLogs: async (uid) => void forgotten.push(`logs of ${uid}`),
      forgetAllLogs: async () => void forgotten.push("all logs"),
      forgetDrafts: (uid) => void forgotten.push(`drafts of ${uid}`),
    },
  );
  return { ...given, logins, session, made, forgotten };
}

describe("the session", () => {
  test("of a browser that is logged in goes on with what was kept", async () => {
    const { session, made } = setup();
    await session.start();
    expect(session.phase).toBe("in");
    expect(made).toEqual([{ uid: "ann", fresh: false }]);
  });

  test("of a stranger asks for a login", async () => {
    const { session, api, forgotten } = setup();
    api.failure = new Failure("unauthenticated", "who is it?");
    await session.start();
    expect([session.phase, forgotten]).toEqual(["out", ["all logs"]]);
  });

  test("says so while the first answer is long in coming, and no sooner", async () => {
    const { session, api, clock } = setup();
    api.me = () => new Promise(() => {});
    void session.start();
    await clock.pass(300);
    const words = [session.connection.words];
    await clock.pass(200);
    words.push(session.connection.words);
    expect([session.phase, words]).toEqual(["starting", ["", "Connecting…"]]);
  });

  test("is renewed several times a day, also where one time fails, until it ends", async () => {
    const { session, api, clock, channel } = setup();
    const me = vi.spyOn(api, "me");
    await session.start();
    await clock.pass(6 * 3_600_000);
    expect(me).toHaveBeenCalledTimes(2);
    api.failure = new Failure(UNREACHABLE, "nobody there");
    await clock.pass(18 * 3_600_000);
    expect([session.phase, me.mock.calls.length]).toEqual(["in", 5]);
    channel.listener?.unauthenticated();
    await clock.pass(24 * 3_600_000);
    expect([session.phase, me.mock.calls.length]).toEqual(["out", 5]);
  });

  test("waits for a server that cannot be reached", async () => {
    const { session, api, clock } = setup();
    api.failure = new Failure(UNREACHABLE, "nobody there");
    await session.start();
    expect([session.phase, session.connection.words]).toEqual(["unreachable", OFFLINE]);
    await clock.pass(1_000);
    expect(session.phase).toBe("in");
  });

  test("waits longer each time, also for a server that asks for no time at all", async () => {
    const { session, api, clock } = setup();
    let refusals = 5;
    api.me = async () => {
      if (refusals === 0) return api.profile;
      refusals -= 1;
      throw new Failure("unavailable", "no store", 0);
    };
    await session.start();
    await clock.pass(7_000);
    expect(session.phase).toBe("unreachable");
    await clock.pass(1_000);
    expect(session.phase).toBe("in");
  });

  test("says that the page is broken, and does not ask the server again", async () => {
    const broken = new Error("no room");
    const told = vi.spyOn(console, "error").mockImplementation(() => {});
    const { session, clock, made } = setup(broken);
    await session.start();
    expect(session.phase).toBe("broken");
    expect(told).toHaveBeenCalledWith(broken);
    told.mockRestore();
    await clock.pass(60_000);
    expect([session.phase, made.length]).toEqual(["broken", 1]);
  });

  test("knows a server without accounts", async () => {
    const { session, api } = setup();
    api.failure = new Failure("bad_request", "name the user");
    await session.start();
    expect(session.phase).toBe("open-mode");
  });

  test("begins afresh with a login", async () => {
    const { session, made } = setup();
    await session.login("ann", "secret");
    expect(session.phase).toBe("in");
    expect(made).toEqual([{ uid: "ann", fresh: true }]);
  });

  test("does not begin with a wrong password", async () => {
    const { session, api } = setup();
    api.failure = new Failure("unauthenticated", "wrong");
    await expect(session.login("ann", "guess")).rejects.toThrow("wrong");
    expect(session.client).toBeNull();
  });

  test("that is made while the server goes away begins afresh once it is back", async () => {
    const { session, api, clock, made } = setup();
    const answer = api.me.bind(api);
    api.me = () => Promise.reject(new Failure(UNREACHABLE, "nobody there"));
    await session.register("ann", "Ann", "secret");
    expect(session.phase).toBe("unreachable");
    api.me = answer;
    await clock.pass(1_000);
    expect(session.phase).toBe("in");
    expect(made).toEqual([{ uid: "ann", fresh: true }]);
  });

  test("does not begin where the browser keeps no login", async () => {
    const { session, api } = setup();
    api.me = () => Promise.reject(new Failure("unauthenticated", "who is it?"));
    await expect(session.login("ann", "secret")).rejects.toThrow("who is it?");
    expect(session.client).toBeNull();
  });

  test("ends when somebody else logs in with another page of this browser", async () => {
    const { session, logins, channel, forgotten } = setup();
    await session.login("ann", "secret");
    logins.elsewhere("ann");
    expect([session.phase, logins.told]).toEqual(["in", ["ann"]]);
    logins.elsewhere("bob");
    expect(forgotten).toEqual(["logs of ann"]);
    expect([session.phase, session.client, channel.listener]).toEqual(["out", null, null]);
    expect(session.notice).toBe("You were logged out on this device.");
  });

  test("that has ended begins with a login with another page, and what was not sent goes on", async () => {
    const { session, logins, channel, made } = setup();
    await session.start();
    void session.client?.outbox.send("dm:ann:bob", "hello");
    await settle();
    channel.listener?.unauthenticated();
    logins.elsewhere("ann");
    await settle();
    expect([session.phase, session.notice]).toEqual(["in", ""]);
    expect(made.map(({ fresh }) => fresh)).toEqual([false, false]);
    expect(session.client?.outbox.items.map(({ text }) => text)).toEqual(["hello"]);
  });

  test("begins once where logins with several pages meet", async () => {
    const { session, api, logins, channel, made } = setup();
    const close = vi.spyOn(channel, "close");
    api.failure = new Failure("unauthenticated", "who is it?");
    await session.start();
    logins.elsewhere("ann");
    await session.login("ann", "secret");
    await settle();
    expect([session.phase, made.length]).toEqual(["in", 2]);
    expect([close.mock.calls.length, channel.listener]).toEqual([1, expect.anything()]);
  });

  test("knows what another device changed of its user", async () => {
    const { session, channel } = setup();
    await session.start();
    const change = { name: "Anna", display_receipts: false };
    const Body = JSON.stringify(change);
    channel.tell({ EvtType: "setting", ConvID: "user:ann", Seq: 1, Body });
    expect(session.profile).toEqual({
      uid: "ann",
      about: "",
      who_may_add_me: "everybody",
      ...change,
    });
    expect(session.client?.people.name("ann")).toBe("Anna");
  });

  test("ends with what the browser kept", async () => {
    const { session, channel, forgotten } = setup();
    await session.start();
    await session.logout();
    expect([session.phase, channel.listener]).toEqual(["out", null]);
    expect(forgotten).toEqual(["drafts of ann", "logs of ann"]);
  });

  test("that one ends oneself gives up what was not sent, and another way out does not", async () => {
    const { session, api, channel, outbox } = setup();
    await session.start();
    void session.client?.outbox.send("dm:ann:bob", "hello");
    await settle();
    api.logout = () => Promise.reject(new Failure(UNREACHABLE, "nobody there"));
    await expect(session.logout()).rejects.toThrow("nobody there");
    expect(await outbox.all()).toHaveLength(1);
    channel.listener?.unauthenticated();
    await settle();
    expect(await outbox.all()).toHaveLength(1);
    await session.login("ann", "secret");
    api.logout = async () => channel.listener?.unauthenticated();
    await session.logout();
    expect(await outbox.all()).toEqual([]);
  });

  test("that the server tells the end of ahead of its answer has ended, whatever that is", async () => {
    const { session, api, channel, outbox, forgotten } = setup();
    await session.start();
    void session.client?.outbox.send("dm:ann:bob", "hello");
    await settle();
    api.logout = async () => {
      channel.listener?.unauthenticated();
      throw new Failure(UNREACHABLE, "the answer is lost");
    };
    await session.logout();
    expect([session.phase, session.notice]).toEqual(["out", ""]);
    expect(forgotten).toEqual(["drafts of ann", "logs of ann"]);
    expect(await outbox.all()).toEqual([]);
  });

  test("that begins before the end of the last one is answered has an end of its own", async () => {
    const { session, api, channel, outbox } = setup();
    await session.start();
    let answer = () => {};
    api.logout = () =>
      new Promise((resolve) => {
        answer = resolve;
      });
    const end = session.logout();
    channel.listener?.unauthenticated();
    await session.login("ann", "secret");
    void session.client?.outbox.send("dm:ann:bob", "hello");
    await settle();
    channel.listener?.unauthenticated();
    expect(session.notice).toBe("You were logged out on this device.");
    await session.login("ann", "secret");
    answer();
    await end;
    expect(session.phase).toBe("in");
    expect(await outbox.all()).toHaveLength(1);
  });

  test("ends when the server says so, and what was said is forgotten here", async () => {
    const { session, channel, forgotten } = setup();
    await session.start();
    channel.listener?.unauthenticated();
    await settle();
    expect([session.phase, session.client]).toEqual(["out", null]);
    expect(forgotten).toEqual(["logs of ann"]);
    expect(session.notice).toBe("You were logged out on this device.");
  });

  test("says so no more after the next login", async () => {
    const { session, channel } = setup();
    await session.start();
    channel.listener?.unauthenticated();
    await session.login("ann", "secret");
    expect(session.notice).toBe("");
  });

  test("has no word for who logs out, though the server ends it first", async () => {
    const { session, channel, api } = setup();
    await session.start();
    api.logout = async () => channel.listener?.unauthenticated();
    await session.logout();
    expect([session.phase, session.notice]).toEqual(["out", ""]);
  });
});
