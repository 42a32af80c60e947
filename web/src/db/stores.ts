/** Where a page keeps what it has: in the browser's database, or for want of that in memory. */

import type { Clock } from "../state/ports.ts";
import type { Uid } from "../wire/wire.ts";
import { type Database, openDatabase } from "./database.ts";
import { MemoryLogs, MemoryOutbox } from "./memory.ts";

export type Stores = Pick<Database, "outbox" | "logs">;

/** So long a browser may take to open its database, in ms: some never answer. */
const PATIENCE_MS = 2_000;

/** In memory where the browser offers no storage, or does not answer in time. */
export async function openStores(uid: Uid, clock: Pick<Clock, "after">): Promise<Stores> {
  const stores = await inTime(openDatabase(uid), clock).catch(() => null);
  return stores ?? { outbox: new MemoryOutbox(), logs: new MemoryLogs() };
}

/** null: it takes too long. What is opened later is closed again. */
async function inTime(
  opening: Promise<Database>,
  clock: Pick<Clock, "after">,
): Promise<Database | null> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(PATIENCE_MS, () => {
      resolve(null);
      void opening.then((late) => late.close());
    });
    opening.then(resolve, reject).finally(cancel);
  });
}
