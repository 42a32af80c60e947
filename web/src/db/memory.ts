/** The stores of a browser that offers no database: everything works until the page is closed. */

import type { KeptLog, LogStore, OutboxStore, Pending } from "../state/ports.ts";

export class MemoryOutbox implements OutboxStore {
  readonly #items = new Map<string, Pending>();

  async all(): Promise<Pending[]> {
    return [...this.#items.values()].sort((a, b) => a.order - b.order);
  }

  async put(item: Pending): Promise<void> {
    this.#items.set(item.id, item);
  }

  async remove(id: string): Promise<void> {
    this.#items.delete(id);
  }

  /** Nobody drops it. */
  whenLost(_: () => void): void {}
}

export class MemoryLogs implements LogStore {
  readonly #logs = new Map<string, KeptLog>();

  async all(): Promise<KeptLog[]> {
    return [...this.#logs.values()];
  }

  async put(log: KeptLog): Promise<void> {
    this.#logs.set(log.ConvID, log);
  }

  async clear(): Promise<void> {
    this.#logs.clear();
  }
}
