/** IndexedDB as promises: one database per user, with the outbox and the newest log entries. The browser
 * may end the connection, as when somebody clears what this site keeps: then there is a new one. A page
 * of a later version ends it, too: then nothing more is kept here. */

import type { KeptLog, LogStore, OutboxStore, Pending } from "../state/ports.ts";
import type { Uid } from "../wire/wire.ts";

const VERSION = 1;
const PREFIX = "webchat:";
/** A browser that still clears opens nothing: so long is waited, in ms, before each further try. */
const WAITS_MS = [50, 150, 300];

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function committed(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
    transaction.onerror = () => reject(transaction.error);
  });
}

async function opened(uid: Uid): Promise<IDBDatabase> {
  const request = indexedDB.open(PREFIX + uid, VERSION);
  request.onupgradeneeded = () => {
    request.result.createObjectStore("outbox", { keyPath: "id" });
    request.result.createObjectStore("logs", { keyPath: "ConvID" });
  };
  return settled(request);
}

/** Rejects where that does not help, either. */
async function openedAgain(uid: Uid): Promise<IDBDatabase> {
  for (const wait of WAITS_MS) {
    try {
      return await opened(uid);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
  return opened(uid);
}

/** What this browser keeps for `uid`. Rejects where the browser offers no storage. */
export async function openDatabase(uid: Uid): Promise<Database> {
  return new Database(uid, await opened(uid));
}

/** For whom this browser keeps something, where it tells. Rejects where it offers no storage. */
export async function knownUids(): Promise<Uid[]> {
  const found = (await indexedDB.databases?.()) ?? [];
  return found.flatMap(({ name }) => (name?.startsWith(PREFIX) ? name.slice(PREFIX.length) : []));
}

export class Database {
  readonly #uid: Uid;
  /** null: the browser has ended it. */
  #db: Promise<IDBDatabase> | null;
  #lost: () => void = () => {};
  readonly outbox: OutboxStore;
  readonly logs: LogStore;

  constructor(uid: Uid, db: IDBDatabase) {
    this.#uid = uid;
    this.#db = Promise.resolve(db);
    this.#follow(db);
    this.outbox = {
      all: async () => (await this.#all<Pending>("outbox")).sort((a, b) => a.order - b.order),
      put: (item) => this.#write("outbox", (store) => store.put(item)),
      remove: (id) => this.#write("outbox", (store) => store.delete(id)),
      whenLost: (act) => {
        this.#lost = act;
      },
    };
    this.logs = {
      all: () => this.#all<KeptLog>("logs"),
      put: (log) => this.#write("logs", (store) => store.put(log)),
      clear: () => this.#write("logs", (store) => store.clear()),
    };
  }

  async close(): Promise<void> {
    (await this.#db)?.close();
  }

  #follow(db: IDBDatabase): void {
    db.onversionchange = () => db.close(); // and goes without: whoever changes it waits for that
    db.onclose = () => {
      this.#db = null;
      this.#connection().catch(() => {}); // the next act says so, and tries once more
    };
  }

  /** The connection, or a new one where it was ended. */
  #connection(): Promise<IDBDatabase> {
    this.#db ??= this.#reopen();
    return this.#db;
  }

  async #reopen(): Promise<IDBDatabase> {
    try {
      const db = await openedAgain(this.#uid);
      this.#follow(db);
      this.#lost();
      return db;
    } catch (thrown) {
      this.#db = null;
      throw thrown;
    }
  }

  async #all<T>(name: string): Promise<T[]> {
    const db = await this.#connection();
    return settled<T[]>(db.transaction(name).objectStore(name).getAll());
  }

  async #write(name: string, act: (store: IDBObjectStore) => void): Promise<void> {
    const db = await this.#connection();
    const transaction = db.transaction(name, "readwrite");
    act(transaction.objectStore(name));
    transaction.commit(); // at once: a page that is closed next has kept it
    return committed(transaction);
  }
}
