/** What the browser keeps is there after a reload, and one user's is not another's. */

import "fake-indexeddb/auto";
import { forceCloseDatabase } from "fake-indexeddb";
import { afterEach, describe, expect, test, vi } from "vitest";
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
  for (const each of open.splice(0)) void each.close();
});

/** The browser ends the newest connection, as it does when this site's data are cleared. */
function endConnection(opening: { mock: { results: { value: unknown }[] } }): void {
  const request = opening.mock.results.at(-1)?.value as IDBOpenDBRequest;
  forceCloseDatabase(request.result as never);
}

function pending(id: string, order: number): Pending {
  return { id, conv: "dm:ann:bob", text: id, at: 1, order, owner: "page-1" };
}

describe("the outbox", () => {
  test("comes back in the order it was written", async () => {
    const before = await database("order");
    for (const [id, order] of [["b", 2] as const, ["c", 3] as const, ["a", 1] as const]) {
      await before.outbox.put(pending(id, order));
    }
    await before.close();
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

describe("a connection that the browser ends", () => {
  function refuse(): never {
    throw new Error("no storage");
  }

  test("is made anew, and whoever keeps something is told", async () => {
    const opening = vi.spyOn(indexedDB, "open");
    const { outbox } = await database("ended");
    const lost = vi.fn();
    outbox.whenLost(lost);
    for (const times of [1, 2]) {
      endConnection(opening);
      await vi.waitFor(() => expect(lost).toHaveBeenCalledTimes(times));
      await outbox.put(pending(`${times}`, times));
    }
    expect(await outbox.all()).toHaveLength(2);
    opening.mockRestore();
  });

  test("and that is refused at first is waited for", async () => {
    const opening = vi.spyOn(indexedDB, "open");
    const { outbox } = await database("refused");
    const lost = new Promise<void>((resolve) => outbox.whenLost(resolve));
    opening.mockImplementationOnce(refuse);
    endConnection(opening);
    await lost;
    await outbox.put(pending("a", 1));
    expect(await outbox.all()).toHaveLength(1);
    opening.mockRestore();
  });

  test("and that cannot be had again keeps nothing, until it can", async () => {
    const opening = vi.spyOn(indexedDB, "open");
    const { outbox, logs } = await database("gone");
    const lost = vi.fn();
    outbox.whenLost(lost);
    endConnection(opening.mockImplementation(refuse));
    await vi.waitFor(() => expect(opening.mock.calls.length).toBeGreaterThan(1));
    await expect(outbox.put(pending("a", 1))).rejects.toThrow("no storage");
    await expect(logs.clear()).rejects.toThrow("no storage");
    expect(lost).not.toHaveBeenCalled();
    opening.mockRestore();
    await outbox.put(pending("a", 1));
    expect(lost).toHaveBeenCalledTimes(1);
    expect(await outbox.all()).toHaveLength(1);
  });

  test("rejects what comes before that is told", async () => {
    const found = await database("early");
    const { outbox } = found;
    await found.close();
    await expect(outbox.put(pending("a", 1))).rejects.toThrow();
    await expect(outbox.all()).rejects.toThrow();
  });
});

test("a page of a later version is not held up, and what is kept is its from then on", async () => {
  const { outbox } = await database("later");
  await outbox.put(pending("a", 1));
  const request = indexedDB.open("webchat:later", 2);
  const blocked = vi.fn();
  request.onblocked = blocked;
  await vi.waitFor(() => expect(request.readyState).toBe("done"));
  expect(blocked).not.toHaveBeenCalled();
  await expect(outbox.put(pending("b", 2))).rejects.toThrow();
  const kept = request.result.transaction("outbox").objectStore("outbox").count();
  await vi.waitFor(() => expect(kept.result).toBe(1));
  request.result.close();
});
