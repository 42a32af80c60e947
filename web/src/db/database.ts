/** IndexedDB as promises: one database per user, with the outbox and the newest log entries. */

import type { KeptLog, LogStore, OutboxStore, Pending } from "../state/ports.ts";
import type { Uid } from "../wire/wire.ts";

const VERSION = 1;

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

/** What this browser keeps for `uid`. Rejects where the browser offers no storage. */
export async function openDatabase(uid: Uid): Promise<Database> {
  const request = indexedDB.open(`webchat:${uid}`, VERSION);
  request.onupgradeneeded = () => {
    request.result.createObjectStore("outbox", { keyPath: "id" });
    request.result.createObjectStore("logs", { keyPath: "ConvID" });
  };
  return new Database(await settled(request));
}

export class Database {
  readonly #db: IDBDatabase;
  readonly outbox: OutboxStore;
  readonly logs: LogStore;

  constructor(db: IDBDatabase) {
    this.#db = db;
    this.outbox = {
      all: async () => (await this.#all<Pending>("outbox")).sort((a, b) => a.order - b.order),
      put: (item) => this.#write("outbox", (store) => store.put(item)),
      remove: (id) => this.#write("outbox", (store) => store.delete(id)),
    };
    this.logs = {
      all: () => this.#all<KeptLog>("logs"),
      put: (log) => this.#write("logs", (store) => store.put(log)),
      clear: () => this.#write("logs", (store) => store.clear()),
    };
  }

  close(): void {
    this.#db.close();
  }

  #all<T>(name: string): Promise<T[]> {
    return settled<T[]>(this.#db.transaction(name).objectStore(name).getAll());
  }

  #write(name: string, act: (store: IDBObjectStore) => void): Promise<void> {
    const transaction = this.#db.transaction(name, "readwrite");
    act(transaction.objectStore(name));
    transaction.commit(); // at once: a page that is closed next has kept it
    return committed(transaction);
  }
}
