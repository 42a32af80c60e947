/** The page goes on without the browser's database where there is none, or no answer. */

import "fake-indexeddb/auto";
import { afterEach, expect, test, vi } from "vitest";
import { Database } from "../src/db/database.ts";
import { MemoryOutbox } from "../src/db/memory.ts";
import { openStores } from "../src/db/stores.ts";
import { ManualClock, settle } from "./fakes.ts";

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
