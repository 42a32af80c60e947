/** A store that has lost what a page knows, as by a restored backup: what it has instead is what holds. */

import { describe, expect, test } from "vitest";
import { MemoryLogs } from "../src/db/memory.ts";
import type { Entry } from "../src/wire/wire.ts";
import { entry, item, world } from "./fakes.ts";
import { CONV, history, live } from "./page.ts";

/** The entry `seq` of the log as it went on after the backup. */
function other(seq: number): Entry {
  return entry(seq, { MsgID: `other${seq}`, StoredAt: 1_800_000_000_000 + seq, Body: "other" });
}

/** A page that had 100 entries, all of them read, when the log turned out to have ended with the 80th,
 * of which 70 were read; ten others came there since. */
async function restored(given = world()) {
  const page = await live(100, given);
  await page.client.show(CONV);
  const log = [...history(80), ...Array.from({ length: 10 }, (_, at) => other(81 + at))];
  page.api.logs.set(CONV, log);
  page.api.list = [item(other(90), { delivered: 70, displayed: 70, unread: 20 })];
  page.channel.tell({ EvtType: "delivery", From: "bob", To: "ann", ConvID: CONV, Seq: 100 });
  page.channel.tell({ EvtType: "skip", ConvID: CONV, Seq: 90, N: 90, more: false });
  return page;
}

describe("a log that ends before the position", () => {
  test("is fetched anew, and goes on without what was lost", async () => {
    const { channel, client, conversation, seqs } = await restored();
    channel.tell(other(91));
    expect([seqs(), conversation().position, conversation().last?.Seq]).toEqual([[91], 91, 91]);
    await client.conversations.loadOlder(conversation());
    expect(seqs()).toEqual(Array.from({ length: 51 }, (_, at) => at + 41));
    expect(conversation().at(81)?.Body).toBe("other");
    expect(channel.bodies("sync").filter(({ cursors }) => CONV in cursors)).toEqual([]);
  });

  test("has as much unread as the list says, nothing until then", async () => {
    const { clock, channel, client, conversation } = await restored();
    channel.tell(other(91));
    const unread = [client.conversations.unread];
    await clock.pass(1_000);
    expect([...unread, client.conversations.unread]).toEqual([0, 21]);
    expect(conversation().places.get("bob")?.delivered).toBe(90);
  });

  test("is told how far somebody reads who is there", async () => {
    const { clock, channel, client, conversation } = await restored();
    await client.conversations.loadOlder(conversation());
    client.seen(conversation(), 90);
    await clock.pass(1_000);
    expect(channel.chats("display").map(({ body }) => body.Seq)).toEqual([90]);
    expect(client.conversations.unread).toBe(0);
  });

  test("is kept as it is now", async () => {
    const { clock, logs } = await restored();
    await clock.pass(1_000);
    expect(await logs.all()).toEqual([{ ConvID: CONV, position: 90, entries: [] }]);
  });
});

describe("what was kept of a log", () => {
  test("is forgotten where the list tells something else by its last number", async () => {
    const logs = new MemoryLogs();
    await logs.put({ ConvID: CONV, position: 7, entries: history(7) });
    const given = world({ logs });
    given.api.list = [item(other(7), { displayed: 5, unread: 2 })];
    given.api.logs.set(CONV, [...history(5), other(6), other(7)]);
    const { client, conversation, seqs } = await live(7, given);
    expect([seqs(), conversation().unread]).toEqual([[], 2]);
    expect(await logs.all()).toEqual([{ ConvID: CONV, position: 7, entries: [] }]);
    await client.show(CONV);
    expect(
      conversation()
        .entries.map(({ Body }) => Body)
        .slice(-3),
    ).toEqual(["text 5", "other", "other"]);
  });
});
