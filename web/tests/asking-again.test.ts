/** What could not be answered, or may have changed since, is asked for again in its time. */

import { describe, expect, test } from "vitest";
import { Failure, UNREACHABLE } from "../src/wire/failure.ts";
import { entry, type FakeApi, item, settle, world } from "./fakes.ts";
import { CONV, live } from "./page.ts";

/** Whom `api` is asked for from now on, each alone. */
function asking(api: FakeApi): string[] {
  const asked: string[] = [];
  const answer = api.person.bind(api);
  api.person = (uid) => {
    asked.push(uid);
    return answer(uid);
  };
  return asked;
}

describe("names", () => {
  test("that the list tells are not asked for one by one", async () => {
    const given = world();
    const uids = ["bob", "cleo", "dan"];
    given.api.list = uids.map((uid) => item(entry(1, { ConvID: `dm:ann:${uid}` }), { name: uid }));
    const asked = asking(given.api);
    await live(1, given);
    expect(asked).toEqual([]);
  });

  const AGE_MS = 300_000;

  test("of people in the list are asked for again when somebody looks, but not at once", async () => {
    const { api, clock, client, conversation } = await live(1);
    api.list = [item(entry(1), { name: "Robert" })];
    const calls = api.listCalls;
    client.freshen();
    await clock.pass(1_000);
    expect(api.listCalls).toBe(calls);
    await clock.pass(AGE_MS);
    client.freshen();
    client.freshen();
    await clock.pass(1_000);
    expect([api.listCalls, conversation().name]).toEqual([calls + 1, "Robert"]);
    expect(client.people.name("bob")).toBe("Robert");
  });

  test("are asked for again when a conversation is opened", async () => {
    const { api, clock, client, conversation } = await live(1);
    api.list = [item(entry(1), { name: "Robert" })];
    await clock.pass(AGE_MS);
    await client.show(CONV);
    await clock.pass(1_000);
    expect(conversation().name).toBe("Robert");
  });

  test("are asked for by nobody while there is no connection", async () => {
    const { api, channel, clock, client } = await live(1);
    await channel.lose();
    await clock.pass(AGE_MS);
    const calls = api.listCalls;
    client.freshen();
    await clock.pass(1_000);
    expect(api.listCalls).toBe(calls);
  });

  /** A page that shows the names of cleo and dan, who are in no list, and of bob, who is. */
  async function showing() {
    const page = await live(1);
    const { api, clock, client } = page;
    api.people.set("cleo", { uid: "cleo", name: "Cleo" });
    api.people.set("dan", { uid: "dan", name: "Dan" });
    const uids = ["cleo", "dan", "bob"];
    const shown = () => uids.map((uid) => client.people.name(uid)).join();
    shown();
    await settle();
    const asked = asking(api);
    const look = async () => {
      client.freshen();
      await clock.pass(1_000);
      shown();
      await settle();
    };
    return { ...page, asked, shown, look };
  }

  test("that no list has are asked for again, each alone, where they are shown", async () => {
    const { api, asked, clock, shown, look } = await showing();
    api.people.set("cleo", { uid: "cleo", name: "Cleopatra" });
    await look();
    expect([asked, shown()]).toEqual([[], "Cleo,Dan,Bob"]);
    await clock.pass(AGE_MS);
    await look();
    expect([asked, shown()]).toEqual([["cleo", "dan"], "Cleopatra,Dan,Bob"]);
    await look();
    expect(asked).toEqual(["cleo", "dan"]);
    await clock.pass(AGE_MS);
    await look();
    expect(asked).toEqual(["cleo", "dan", "cleo", "dan"]);
  });

  test("stay where nobody answers, who then is not asked for the others", async () => {
    const { api, asked, clock, shown, look } = await showing();
    const before = shown();
    api.people.delete("cleo");
    await clock.pass(AGE_MS + 1);
    await look();
    expect([asked, shown()]).toEqual([["cleo", "dan"], before]);
    api.person = async (uid) => {
      asked.push(uid);
      throw new Failure("unavailable", "no store");
    };
    await clock.pass(AGE_MS + 1);
    await look();
    await look();
    expect([asked, shown()]).toEqual([["cleo", "dan", "cleo"], before]);
  });
});

describe("many names", () => {
  const uids = Array.from({ length: 10 }, (_, at) => `p${at}`);

  /** A page that shows ten names which it does not know, each of which the test answers. */
  async function showingMany() {
    const page = await live(0);
    const asked: { uid: string; answer(): void; fail(code?: string): void }[] = [];
    page.api.person = (uid) =>
      new Promise((resolve, reject) => {
        const answer = () => resolve({ uid, name: uid.toUpperCase() });
        asked.push({ uid, answer, fail: (code = "") => reject(new Failure(code, "")) });
      });
    const shown = () => uids.map((uid) => page.client.people.name(uid));
    shown();
    return { ...page, shown, asked, uidsAsked: () => asked.map(({ uid }) => uid) };
  }

  test("are asked for a few at a time, unless they are told of meanwhile", async () => {
    const { client, asked, shown, uidsAsked } = await showingMany();
    await settle();
    expect(uidsAsked()).toEqual(uids.slice(0, 3));
    client.people.learn({ uid: "p3", name: "P3" });
    for (let at = 0; at < asked.length; at += 1) {
      if (at % 2 === 0) asked[at]?.answer();
      else asked[at]?.fail("not_found");
      await settle();
      expect(asked.length - at).toBeLessThanOrEqual(4);
    }
    expect(uidsAsked()).toEqual(uids.filter((uid) => uid !== "p3"));
    expect(shown()).toEqual(["P0", "p1", "P2", "P3", "p4", "P5", "p6", "P7", "p8", "P9"]);
  });

  test.each([UNREACHABLE, "unauthenticated"])("wait together where one is %s", async (code) => {
    const { asked, client, shown, uidsAsked } = await showingMany();
    asked[0]?.fail(code);
    for (const at of [1, 2]) asked[at]?.answer();
    await settle();
    expect(uidsAsked()).toEqual(uids.slice(0, 3));
    client.people.resume();
    for (let at = 3; at < asked.length; at += 1) {
      asked[at]?.answer();
      await settle();
    }
    expect(uidsAsked()).toEqual([...uids, "p0"]);
    expect(shown()).toEqual(uids.map((uid) => uid.toUpperCase()));
  });
});

describe("what nobody could answer", () => {
  test("a name is asked for again with the next connection, one that nobody has is not", async () => {
    const { api, channel, client } = await live(0);
    const asked = asking(api);
    api.failure = new Failure("unavailable", "no store");
    for (const uid of ["cleo", "nobody", "cleo"]) expect(client.people.name(uid)).toBe(uid);
    await settle();
    api.people.set("cleo", { uid: "cleo", name: "Cleo" });
    await channel.lose();
    await channel.connect();
    expect(client.people.name("cleo")).toBe("Cleo");
    expect(asked).toEqual(["cleo", "nobody", "cleo"]);
  });

  test("a message that a reply means is asked for again with the next connection", async () => {
    const { api, channel, client, conversation } = await live(3);
    const quoted = () => client.conversations.quoted(conversation(), 1);
    api.failure = new Failure("unavailable", "no store");
    expect(quoted()).toBeUndefined();
    await settle();
    expect(quoted()).toBeNull();
    await channel.lose();
    await channel.connect();
    quoted();
    await settle();
    expect(quoted()?.Seq).toBe(1);
  });

  test("a name and a quote are asked for again, too, when somebody looks", async () => {
    const { api, client, clock, conversation } = await live(3);
    const shown = () => [
      client.people.name("cleo"),
      client.conversations.quoted(conversation(), 1)?.Seq,
    ];
    const [person, events] = [api.person, api.eventsBefore];
    const refuse = () => Promise.reject(new Failure("rate_limited", "slow down"));
    Object.assign(api, { person: refuse, eventsBefore: refuse });
    shown();
    await settle();
    Object.assign(api, { person, eventsBefore: events });
    api.people.set("cleo", { uid: "cleo", name: "Cleo" });
    await clock.pass(1_000);
    expect(shown()).toEqual(["cleo", undefined]);
    client.freshen();
    await settle();
    shown();
    await settle();
    expect(shown()).toEqual(["Cleo", 1]);
  });

  test("history may be fetched again with the next connection", async () => {
    const { api, channel, client, conversation } = await live(3);
    api.failure = new Failure("unavailable", "no store");
    await client.show(CONV);
    expect(conversation().history).toBe("failed");
    await channel.lose();
    await channel.connect();
    expect(conversation().history).toBe("idle");
  });
});
