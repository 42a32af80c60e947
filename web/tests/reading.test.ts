/** What is unread, and what is told of reading. */

import { describe, expect, test } from "vitest";
import { MemoryLogs } from "../src/db/memory.ts";
import { stateText } from "../src/state/wording.ts";
import { Failure } from "../src/wire/failure.ts";
import { entry, item, world } from "./fakes.ts";
import { CONV, history, live } from "./page.ts";

describe("unread", () => {
  test("counts messages after the own displayed position", async () => {
    const { channel, client } = await live(2);
    channel.tell(entry(3));
    channel.tell(entry(4));
    expect(client.conversations.unread).toBe(2);
  });

  test("counts what is read among the entries here, also where the list knows of more", async () => {
    const logs = new MemoryLogs();
    await logs.put({ ConvID: CONV, position: 5, entries: history(5) });
    const given = world({ logs });
    given.api.list = [item(entry(7), { delivered: 3, displayed: 3, unread: 4 })];
    const { channel, client, conversation } = await live(7, given);
    client.seen(conversation(), 5);
    expect(client.conversations.unread).toBe(2);
    for (const seq of [6, 7, 8]) channel.tell(entry(seq));
    expect(client.conversations.unread).toBe(3);
  });

  test("another device's reading takes it back", async () => {
    const { channel, client } = await live(2);
    channel.tell(entry(3));
    channel.tell(entry(4));
    channel.tell({ EvtType: "position", ConvID: CONV, delivered: 4, displayed: 3, N: 3 });
    expect(client.conversations.unread).toBe(1);
  });

  test("an own message from another device means that all before it is read", async () => {
    const { channel, client } = await live(2);
    channel.tell(entry(3));
    channel.tell(entry(4, { From: "ann" }));
    expect(client.conversations.unread).toBe(0);
  });
});

describe("what is new and not here", () => {
  test("is lacking until it is fetched, as where that failed, unless it is read elsewhere", async () => {
    const { api, channel, client, conversation } = await live(2);
    api.logs.set(CONV, history(300));
    channel.tell({ EvtType: "skip", ConvID: CONV, Seq: 300, N: 300, more: true });
    const lacking = [conversation().lacksNews];
    await client.conversations.loadOlder(conversation());
    lacking.push(conversation().lacksNews);
    api.failure = new Failure("unavailable", "no store");
    await client.conversations.loadOlder(conversation());
    lacking.push(conversation().lacksNews);
    conversation().moveOwn({ delivered: 250, displayed: 250, N: 250 });
    lacking.push(conversation().lacksNews);
    expect(lacking).toEqual([true, false, true, false]);
  });
});

describe("receipts", () => {
  test("one delivery tells of many arrivals", async () => {
    const { channel, clock } = await live(2);
    channel.tell(entry(3));
    channel.tell(entry(4));
    await clock.pass(1_000);
    const [delivery, ...more] = channel.chats("delivery").map((request) => request.body);
    expect(delivery).toMatchObject({ From: "ann", To: "bob", ConvID: CONV, Seq: 4 });
    expect(more).toEqual([]);
  });

  test("what only the list shows has arrived, too", async () => {
    const given = world();
    given.api.list = [item(entry(9), { delivered: 4, displayed: 4, unread: 5 })];
    const { channel } = await live(9, given);
    expect(channel.chats("delivery").map((request) => request.body.Seq)).toEqual([9]);
  });

  test("reading is told once, and is a delivery as well", async () => {
    const { channel, client, clock, conversation } = await live(2);
    channel.tell(entry(3));
    client.seen(conversation(), 3);
    client.seen(conversation(), 3);
    await clock.pass(1_000);
    expect(channel.chats("display").map((request) => request.body.Seq)).toEqual([3]);
    expect(channel.chats("delivery")).toEqual([]);
    expect(client.conversations.unread).toBe(0);
  });

  test("one that got no answer is told again", async () => {
    const { channel, client, clock, conversation } = await live(2);
    channel.tell(entry(3));
    client.seen(conversation(), 3);
    await clock.pass(1_000);
    await channel.lose();
    await channel.connect();
    await clock.pass(10_000);
    expect(channel.chats("display").map((request) => request.body.Seq)).toEqual([3, 3]);
  });

  test("own messages are sent, delivered, then read as the other's positions move", async () => {
    const { channel, conversation } = await live(2);
    const told = [stateText(conversation(), 2)];
    const receipt = { From: "bob", Originated: "", To: "ann", ConvID: CONV, Seq: 2 };
    for (const EvtType of ["delivery", "display"]) {
      channel.tell({ ...receipt, EvtType });
      told.push(stateText(conversation(), 2));
    }
    expect(told).toEqual(["Sent", "Delivered", "Read"]);
  });

  test("a snapshot tells what was missed", async () => {
    const { channel, conversation } = await live(4);
    const Body = JSON.stringify([
      ["ann", 4, 4],
      ["bob", 4, 3],
    ]);
    channel.tell({ EvtType: "receipts", ConvID: CONV, Body });
    expect([3, 4].map((seq) => stateText(conversation(), seq))).toEqual(["Read", "Delivered"]);
  });
});

describe("what somebody reads further up", () => {
  test("is not let go of, nor what is being fetched for it", async () => {
    const { channel, client, conversation, seqs } = await live(2);
    await client.show(CONV);
    const letGo: boolean[] = [];
    const upTo = (last: number) => {
      for (let seq = conversation().position + 1; seq <= last; seq += 1) channel.tell(entry(seq));
      letGo.push(seqs()[0] !== 1);
    };
    conversation().readsUp = true;
    upTo(700);
    conversation().readsUp = false;
    conversation().history = "loading";
    upTo(710);
    conversation().history = "idle";
    upTo(711);
    expect(letGo).toEqual([false, false, true]);
  });
});
