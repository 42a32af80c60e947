/** The page goes on without the browser's database where there is none, or no answer. */

import "fake-indexeddb/auto";
import { afterEach, expect, test, vi } from "vitest";
import { Database, openDatabase } from "../src/db/database.ts";
import { MemoryOutbox } from "../src/db/memory.ts";
import { forgetAllLogs, forgetLogs, openStores } from "../src/db/stores.ts";
import { entry, ManualClock, settle } from "./fakes.ts";

afterEach(() => vi.restoreAllMocks());

/** The answer to what is opened from now on, which comes when the test wants it to. */
function unanswered(): IDBOpenDBRequest {
  const request = {} as IDBOpenDBRequest;
  vi.spyOn(indexedDB, "open").mockReturnValue(request);
  return request;
}

test("a browser that answers keeps what the page has", async () => {
  const stores = await openStores("ann", new ManualClock());
  expect(stores).toBeInstanceOf(Database);
  await (stores as Database).close();
});

test("a browser that refuses is not waited for", async () => {
  vi.spyOn(indexedDB, "open").mockImplementation(() => {
    throw new Error("no storage");
  });
  const { outbox } = await openStores("ann", new ManualClock());
  expect(outbox).toBeInstanceOf(MemoryOutbox);
});

test("a browser that never answers is waited for no longer than two seconds", async () => {
  unanswered();
  const clock = new ManualClock();
  const opened = vi.fn();
  void openStores("ann", clock).then(opened);
  await clock.pass(1_900);
  expect(opened).not.toHaveBeenCalled();
  await clock.pass(100);
  expect(opened).toHaveBeenCalledExactlyOnceWith({
    outbox: expect.any(MemoryOutbox),
    logs: expect.anything(),
  });
});

test("a database that opens too late is closed again", async () => {
  const request = unanswered();
  const clock = new ManualClock();
  const stores = openStores("ann", clock);
  await clock.pass(2_000);
  await stores;
  const close = vi.fn();
  Object.assign(request, { result: { close } });
  request.onsuccess?.(new Event("success"));
  await settle();
  expect(close).toHaveBeenCalled();
});

/** Keeps an entry and a message that waits for `uid`; returns how many of each are kept. */
async function keeping(uid: string): Promise<() => Promise<number[]>> {
  const before = await openDatabase(uid);
  await before.logs.put({ ConvID: "dm:ann:bob", position: 1, entries: [entry(1)] });
  const waiting = { id: "a", conv: "dm:ann:bob", text: "hello", at: 1, order: 1, owner: "page-1" };
  await before.outbox.put(waiting);
  await before.close();
  return async () => {
    const database = await openDatabase(uid);
    const kept = [await database.logs.all(), await database.outbox.all()];
    await database.close();
    return kept.map(({ length }) => length);
  };
}

test("logs are forgotten of one user or of everybody, and nothing that was not sent", async () => {
  const users = await Promise.all(["nora", "otto", "paul"].map(keeping));
  const kept = () => Promise.all(users.map((count) => count()));
  const clock = new ManualClock();
  await forgetLogs("nora", clock);
  const one = [0, 1];
  expect(await kept()).toEqual([one, [1, 1], [1, 1]]);
  await forgetAllLogs(clock);
  expect(await kept()).toEqual([one, one, one]);
});

test("logs in a database that opens late are forgotten then", async () => {
  const kept = await keeping("rosa");
  const found = indexedDB.open("webchat:rosa");
  await vi.waitFor(() => expect(found.readyState).toBe("done"));
  const request = unanswered();
  const clock = new ManualClock();
  const gone = vi.fn();
  void forgetLogs("rosa", clock).then(gone);
  await clock.pass(2_000);
  expect(gone).toHaveBeenCalled();
  Object.assign(request, { result: found.result });
  request.onsuccess?.(new Event("success"));
  vi.restoreAllMocks();
  await vi.waitFor(async () => expect(await kept()).toEqual([0, 1]));
});

test("a browser without storage has nothing to forget", async () => {
  vi.spyOn(indexedDB, "open").mockImplementation(() => {
    throw new Error("no storage");
  });
  await forgetLogs("ann", new ManualClock());
});
