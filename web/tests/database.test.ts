/** What the browser keeps is there after a reload, and one user's is not another's. */

import "fake-indexeddb/auto";
import { afterEach, describe, expect, test } from "vitest";
import { type Database, openDatabase } from "../src/db/database.ts";
import type { Pending } from "../src/state/ports.ts";
import { entry } from "./fakes.ts";

const open: Database[] = [];

async function database(uid: string): Promise<Database> {
  const found = await openDatabase(uid);
  open.push(found);
  return found;
}

afterEach(() => {
  for (const each of open.splice(0)) each.close();
});

function pending(id: string, order: number): Pending {
  return { id, conv: "dm:ann:bob", text: id, at: 1, order, owner: "page-1" };
}

describe("the outbox", () => {
  test("comes back in the order it was written", async () => {
    const before = await database("order");
    for (const [id, order] of [["b", 2] as const, ["c", 3] as const, ["a", 1] as const]) {
      await before.outbox.put(pending(id, order));
    }
    before.close();
    const after = await database("order");
    expect((await after.outbox.all()).map((item) => item.id)).toEqual(["a", "b", "c"]);
  });

  test("changes and forgets a message by its id", async () => {
    const { outbox } = await database("change");
    await outbox.put(pending("a", 1));
    await outbox.put({ ...pending("a", 1), refusal: "no" });
    await outbox.put(pending("b", 2));
    await outbox.remove("b");
    expect(await outbox.all()).toEqual([{ ...pending("a", 1), refusal: "no" }]);
  });

  test("of one user is not another's", async () => {
    await (await database("one")).outbox.put(pending("a", 1));
    expect(await (await database("other")).outbox.all()).toEqual([]);
  });
});

describe("the logs", () => {
  test("keep the newest state of each, and can be cleared without the outbox", async () => {
    const { logs, outbox } = await database("logs");
    await outbox.put(pending("a", 1));
    await logs.put({ ConvID: "dm:ann:bob", position: 1, entries: [entry(1)] });
    await logs.put({ ConvID: "dm:ann:bob", position: 2, entries: [entry(1), entry(2)] });
    expect(await logs.all()).toMatchObject([{ position: 2, entries: [{ Seq: 1 }, { Seq: 2 }] }]);
    await logs.clear();
    expect(await logs.all()).toEqual([]);
    expect(await outbox.all()).toHaveLength(1);
  });
});
