/** A page keeps every conversation complete, in order, and says truthfully what has been read. */

import { describe, expect, test } from "vitest";
import { MemoryLogs } from "../src/db/memory.ts";
import { Failure } from "../src/wire/failure.ts";
import { entry, item, settle, world } from "./fakes.ts";
import { CONV, history, live } from "./page.ts";

describe("joining", () => {
  test("a page without anything asks for nothing again: the ends of all logs are its cursors", async () => {
    const { channel } = await live(7);
    expect(channel.bodies("join")).toEqual([
      { device: "device-1", cursors: { [CONV]: 7 }, receipts: [] },
    ]);
  });

  test("after a lost connection it asks for what lies behind its positions", async () => {
    const { channel, client } = await live(7);
    channel.tell(entry(8));
    channel.tell({ EvtType: "skip", ConvID: "user:ann", Seq: 3, more: true });
    await client.show(CONV);
    await channel.lose();
    await channel.connect();
    expect(channel.bodies("join")[1]).toEqual({
      device: "device-1",
      cursors: { "user:ann": 3, [CONV]: 8 },
      receipts: [CONV],
    });
  });

  test("receipts are asked for, too, of what is opened before the join is acked", async () => {
    const { channel, client } = await live(7);
    await channel.lose();
    channel.connected = true;
    channel.listener?.connected();
    await client.show(CONV);
    await settle();
    expect(channel.bodies("join")[1]?.receipts).toEqual([]);
    expect(channel.bodies("sync")).toEqual([{ cursors: {}, receipts: [CONV] }]);
  });

  test("receipts are asked for only of what is there, whatever the address", async () => {
    const { api, channel, client } = await live(7);
    const long = `group_${"x".repeat(140)}`;
    await client.show(long);
    await channel.lose();
    await channel.connect();
    expect(channel.bodies("join")[1]?.receipts).toEqual([]);
    expect(channel.bodies("sync")).toEqual([]);
    api.groups.set("group_1", []);
    await client.show("group_1");
    expect(channel.bodies("sync")).toEqual([{ cursors: {}, receipts: ["group_1"] }]);
  });

  test("receipts are asked for, too, of what turns out to be there before the join is acked", async () => {
    const given = world();
    given.api.groups.set("group_1", []);
    const { channel, client } = await live(7, given);
    await channel.lose();
    const showing = client.show("group_1");
    channel.connected = true;
    channel.listener?.connected();
    await showing;
    await settle();
    expect(channel.bodies("join")[1]?.receipts).toEqual([]);
    expect(channel.bodies("sync")).toEqual([{ cursors: {}, receipts: ["group_1"] }]);
  });

  test("over a thousand cursors come in packets", async () => {
    const given = world();
    given.api.list = Array.from({ length: 1001 }, (_, at) =>
      item(entry(1, { ConvID: `dm:ann:u${String(at).padStart(4, "0")}` })),
    );
    const { channel } = await live(0, given);
    const [join] = channel.bodies("join");
    const [sync] = channel.bodies("sync");
    expect([Object.keys(join?.cursors ?? {}).length, join?.more]).toEqual([1000, true]);
    expect([Object.keys(sync?.cursors ?? {}).length, sync?.more]).toEqual([1, undefined]);
  });

  test("a refused join is tried again when the server says", async () => {
    const given = world();
    const { channel } = await live(1, given);
    await channel.lose();
    given.channel.request = () => Promise.reject(new Failure("unavailable", "no store", 700));
    await channel.connect();
    expect(channel.restarts).toEqual([700]);
  });

  test("a browser in which somebody else logged in meanwhile is left", async () => {
    const { channel, loggedOut } = await live(1);
    await channel.lose();
    channel.request = () => Promise.resolve({ ok: true, uid: "bob" });
    await channel.connect();
    expect(loggedOut()).toBe(1);
  });

  test("who is not known is logged out", async () => {
    const { channel, loggedOut } = await live(1);
    channel.listener?.unauthenticated();
    expect(loggedOut()).toBe(1);
  });
});

describe("drafts", () => {
  test("where nothing was said are found again with their people's names", async () => {
    const given = world();
    given.api.people.set("cleo", { uid: "cleo", name: "Cleo" });
    given.drafts.put("dm:ann:cleo", { text: "half a sent" });
    given.drafts.put("dm:ann:dan", { text: "" });
    const { client } = await live(1, given);
    expect(client.conversations.get("dm:ann:cleo")?.name).toBe("Cleo");
    expect(client.conversations.get("dm:ann:dan")).toBeUndefined();
  });
});

describe("entries", () => {
  test("the next one is taken, a copy is not", async () => {
    const { channel, seqs } = await live(2);
    channel.tell(entry(3));
    channel.tell(entry(3));
    channel.tell(entry(2));
    expect(seqs()).toEqual([3]);
  });

  test("a gap is asked for once and filled in order", async () => {
    const { channel, seqs } = await live(2);
    channel.tell(entry(5));
    channel.tell(entry(6));
    expect(channel.bodies("sync")).toEqual([{ cursors: { [CONV]: 2 } }]);
    await settle();
    for (const seq of [3, 4, 5, 6]) channel.tell(entry(seq));
    expect(seqs()).toEqual([3, 4, 5, 6]);
  });

  test("a kind that is not known is passed over and does not stop the rest", async () => {
    const { channel, conversation } = await live(2);
    channel.tell(entry(3, { EvtType: "poll", N: 2 }));
    channel.tell(entry(4, { N: 3 }));
    expect(conversation().position).toBe(4);
    expect(conversation().last?.Seq).toBe(4);
  });

  test("what was skipped comes by REST when it is scrolled to", async () => {
    const { channel, client, api, conversation, seqs } = await live(2);
    await client.show(CONV);
    api.logs.set(CONV, history(300));
    channel.tell({ EvtType: "skip", ConvID: CONV, Seq: 299, N: 299, more: true });
    channel.tell(entry(300));
    expect(seqs()).toEqual([300]);
    await client.conversations.loadOlder(conversation());
    expect([seqs()[0], seqs().at(-1), seqs().length]).toEqual([250, 300, 51]);
  });

  test("what somebody reads stays where something was skipped, until they go to the end", async () => {
    const { channel, client, conversation, seqs } = await live(60);
    await client.show(CONV);
    conversation().readsUp = true;
    channel.tell({ EvtType: "skip", ConvID: CONV, Seq: 299, N: 299, more: true });
    channel.tell(entry(300));
    channel.tell(entry(301, { EvtType: "edit", Refers: 20, Body: "better", N: 300 }));
    expect([seqs().length, seqs().at(-1), conversation().unread]).toEqual([50, 60, 240]);
    expect(conversation().at(20)?.Body).toBe("better");
    expect(conversation().at(300)?.Seq).toBe(300);
    conversation().toEnd();
    expect([seqs(), conversation().more]).toEqual([[300, 301], true]);
  });

  test("what was skipped is fetched on from where somebody reads, until it meets the newest", async () => {
    const { api, channel, client, conversation, seqs } = await live(60);
    await client.show(CONV);
    conversation().readsUp = true;
    api.logs.set(CONV, history(130));
    channel.tell({ EvtType: "skip", ConvID: CONV, Seq: 128, N: 128, more: true });
    channel.tell(entry(129));
    const ends = [];
    for (let page = 0; page < 3; page += 1) {
      await client.conversations.loadNewer(conversation());
      ends.push([seqs().at(-1), conversation().ahead?.length]);
    }
    channel.tell(entry(130));
    expect(ends).toEqual([
      [110, 1],
      [129, undefined],
      [129, undefined],
    ]);
    expect(seqs()).toEqual(Array.from({ length: 120 }, (_, at) => at + 11));
  });

  test("what somebody has gone from is not filled up, and what failed is tried again", async () => {
    const { api, channel, client, conversation, seqs } = await live(60);
    await client.show(CONV);
    conversation().readsUp = true;
    api.logs.set(CONV, history(300));
    channel.tell({ EvtType: "skip", ConvID: CONV, Seq: 299, N: 299, more: true });
    api.failure = new Failure("unavailable", "no store");
    await client.conversations.loadNewer(conversation());
    const states = [conversation().filling];
    client.conversations.resume();
    states.push(conversation().filling);
    const underWay = client.conversations.loadNewer(conversation());
    await client.show(null);
    await underWay;
    channel.tell(entry(300));
    expect([states, seqs()]).toEqual([["failed", "idle"], [300]]);
  });

  test("of a conversation that is not open the newest ones are held, of the open one more", async () => {
    const { channel, client, seqs } = await live(2);
    for (let seq = 3; seq <= 103; seq += 1) channel.tell(entry(seq));
    expect([seqs()[0], seqs().length]).toEqual([54, 50]);
    await client.show(CONV);
    for (let seq = 104; seq <= 204; seq += 1) channel.tell(entry(seq));
    expect([seqs()[0], seqs().at(-1)]).toEqual([54, 204]);
    for (let seq = 205; seq <= 654; seq += 1) channel.tell(entry(seq));
    expect([seqs()[0], seqs().length]).toEqual([355, 300]);
  });

  test("an edit and a deletion change the message they mean", async () => {
    const { channel, client, conversation } = await live(3);
    await client.show(CONV);
    channel.tell(entry(4, { EvtType: "edit", Refers: 2, Body: "better", N: 3 }));
    channel.tell(entry(5, { EvtType: "delete", Refers: 3, Body: "", N: 3 }));
    const [, second, third] = conversation().entries;
    expect([second?.Body, second?.Edited]).toEqual(["better", 4]);
    expect([third?.Body, third?.Deleted]).toEqual(["", 5]);
    expect(conversation().last?.Deleted).toBe(5);
  });

  test("what is no entry moves no position", async () => {
    const { channel, conversation } = await live(2);
    channel.tell(entry(9, { EvtType: "notify", Body: "[]" }));
    channel.tell(entry(9, { EvtType: "typing" }));
    expect(conversation().position).toBe(2);
    expect(channel.bodies("sync")).toEqual([]);
  });

  test("data that is no event harms nothing", async () => {
    const { channel, seqs } = await live(1);
    for (const rubbish of [null, "text", 7, {}, { ConvID: 3 }, { ConvID: CONV, Seq: "x" }]) {
      channel.tell(rubbish as object);
    }
    channel.tell(entry(2));
    expect(seqs()).toEqual([2]);
  });
});

describe("a new conversation", () => {
  test("is found by its first entry", async () => {
    const given = await live(0);
    given.api.list = [item(entry(1), { unread: 1, displayed: 0, delivered: 0 })];
    given.channel.tell(entry(1));
    await given.clock.pass(1_000);
    expect(given.conversation().name).toBe("Bob");
    expect(given.client.conversations.unread).toBe(1);
  });

  test("waits for its name before it is listed", async () => {
    const given = await live(0);
    given.api.list = [item(entry(1), { unread: 1, displayed: 0, delivered: 0 })];
    given.channel.tell(entry(1));
    expect(given.conversation().named).toBe(false);
    await given.clock.pass(200);
    expect(given.conversation()).toMatchObject({ named: true, name: "Bob" });
  });

  test("waits no longer than a second for a name that does not come", async () => {
    const given = await live(0);
    given.channel.tell(entry(1));
    await given.clock.pass(999);
    expect(given.conversation().named).toBe(false);
    await given.clock.pass(1);
    expect(given.conversation()).toMatchObject({ named: true, name: "bob" });
  });

  test("is found by the user's own log", async () => {
    const given = await live(0);
    const calls = given.api.listCalls;
    const Body = JSON.stringify({ Conv: CONV, state: "added", Seq: 1 });
    given.channel.tell(entry(1, { ConvID: "user:ann", EvtType: "conversation", Body }));
    await given.clock.pass(1_000);
    expect(given.api.listCalls).toBe(calls + 1);
  });

  test("with somebody who exists opens empty", async () => {
    const given = await live(0);
    given.api.people.set("cleo", { uid: "cleo", name: "Cleo" });
    await given.client.show("dm:ann:cleo");
    expect(given.client.shown).toMatchObject({ state: "ready", conversation: { name: "Cleo" } });
  });

  test("that was empty when it was opened has a history once the list tells of it", async () => {
    const given = await live(0);
    given.api.people.set("bob", { uid: "bob", name: "Bob" });
    await given.client.show(CONV);
    expect(given.conversation().more).toBe(false);
    given.api.logs.set(CONV, history(3));
    given.api.list = [item(entry(3))];
    await given.channel.lose();
    await given.channel.connect();
    await given.clock.pass(1_000);
    await given.client.conversations.loadOlder(given.conversation());
    expect(given.seqs()).toEqual([1, 2, 3]);
  });

  test.each(["dm:ann:nobody", "dm:bob:cleo", "nonsense", "group_x"])(
    "%s is not here",
    async (id) => {
      const { client } = await live(0);
      await client.show(id);
      expect(client.shown.state).toBe("missing");
    },
  );
});

describe("sending", () => {
  test("the ack puts the message where it belongs", async () => {
    const { client, channel, seqs } = await live(2);
    void client.outbox.send(CONV, "mine");
    await settle();
    channel.chats("message")[0]?.ok({ ConvID: CONV, Seq: 3, N: 3, StoredAt: 5 });
    await settle();
    expect(seqs()).toEqual([3]);
    expect(client.outbox.items).toEqual([]);
  });

  test("a message that came back by the log is not sent again", async () => {
    const { client, channel } = await live(2);
    await channel.lose();
    void client.outbox.send(CONV, "mine");
    await settle();
    const [pending] = client.outbox.items;
    channel.tell(entry(3, { From: "ann", MsgID: pending?.id ?? "", Body: "mine" }));
    await channel.connect();
    expect(channel.chats("message")).toEqual([]);
  });
});

describe("a reload", () => {
  test("goes on from the entries that were kept", async () => {
    const logs = new MemoryLogs();
    await logs.put({ ConvID: CONV, position: 5, entries: history(5) });
    await logs.put({ ConvID: "user:ann", position: 2, entries: [] });
    const { channel, seqs } = await live(7, world({ logs }));
    expect(channel.bodies("join")[0]?.cursors).toEqual({ [CONV]: 5, "user:ann": 2 });
    expect(seqs()).toEqual([1, 2, 3, 4, 5]);
  });

  test("drops what is too far behind, or of another store", async () => {
    for (const position of [10, 600]) {
      const logs = new MemoryLogs();
      await logs.put({ ConvID: CONV, position, entries: [entry(position)] });
      const { channel } = await live(300, world({ logs }));
      expect(channel.bodies("join")[0]?.cursors).toEqual({ [CONV]: 300 });
    }
  });

  test("what was met is kept", async () => {
    const { channel, clock, logs } = await live(2);
    channel.tell(entry(3));
    await clock.pass(1_000);
    expect(await logs.all()).toMatchObject([{ ConvID: CONV, position: 3 }]);
  });
});

describe("the connection", () => {
  test("is said to be made anew while nobody answers", async () => {
    const { channel, client } = await live(2);
    const said = [client.connection.words];
    channel.listener?.silent();
    said.push(client.connection.words);
    channel.listener?.heard();
    said.push(client.connection.words);
    channel.listener?.silent();
    await channel.lose();
    await channel.connect();
    said.push(client.connection.words);
    expect(said).toEqual(["", "Connecting…", "", ""]);
  });
});
