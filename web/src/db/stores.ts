/** Where a page keeps what it has: in the browser's database, or for want of that in memory. */

import type { Clock } from "../state/ports.ts";
import type { Uid } from "../wire/wire.ts";
import { type Database, knownUids, openDatabase } from "./database.ts";
import { MemoryLogs, MemoryOutbox } from "./memory.ts";

export type Stores = Pick<Database, "outbox" | "logs">;

/** So long a browser may take to open its database, in ms: some never answer. */
const PATIENCE_MS = 2_000;

/** In memory where the browser offers no storage, or does not answer in time. */
export async function openStores(uid: Uid, clock: Pick<Clock, "after">): Promise<Stores> {
  const opening = openDatabase(uid);
  const stores = await inTime(opening, clock).catch(() => null);
  if (stores) return stores;
  opening.then((late) => late.close()).catch(() => {});
  return { outbox: new MemoryOutbox(), logs: new MemoryLogs() };
}

/** Forgets the logs of `uid`. A browser that takes long to open its database does so when it has. */
export async function forgetLogs(uid: Uid, clock: Pick<Clock, "after">): Promise<void> {
  await inTime(clearLogs(uid), clock);
}

/** Forgets those of everybody, where the browser tells whom it keeps something for. */
export async function forgetAllLogs(clock: Pick<Clock, "after">): Promise<void> {
  await Promise.all((await knownUids()).map((uid) => forgetLogs(uid, clock)));
}

async function clearLogs(uid: Uid): Promise<void> {
  const database = await openDatabase(uid).catch(() => null);
  await database?.logs.clear();
  await database?.close();
}

/** null: it takes too long. */
async function inTime<T>(work: Promise<T>, clock: Pick<Clock, "after">): Promise<T | null> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(PATIENCE_MS, () => resolve(null));
    work.then(resolve, reject).finally(cancel);
  });
}
