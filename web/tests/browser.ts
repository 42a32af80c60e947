/** What a browser has besides the page, made by hand: storage, notifications, logins of its other pages. */

import type { Drafts } from "../src/state/drafts.svelte.ts";
import type { Logins } from "../src/state/ports.ts";

/** What would be told outside the page. */
export class FakeNotifier {
  readonly told: string[] = [];

  tell(conv: string, name: string, text: string): void {
    this.told.push(`${conv} ${name}: ${text}`);
  }
}

/** A browser's storage. */
export class FakeStorage implements Storage {
  readonly #items = new Map<string, string>();
  /** What the other pages were not told yet. */
  readonly #changes: Pick<StorageEvent, "key" | "oldValue" | "newValue">[] = [];
  full = false;

  get length(): number {
    return this.#items.size;
  }

  key(at: number): string | null {
    return [...this.#items.keys()][at] ?? null;
  }

  getItem(key: string): string | null {
    return this.#items.get(key) ?? null;
  }

  setItem(key: string, value: string): void {
    if (this.full) throw new Error("no room");
    this.#change(key, value);
    this.#items.set(key, value);
  }

  removeItem(key: string): void {
    this.#change(key, null);
    this.#items.delete(key);
  }

  clear(): void {
    this.#items.clear();
  }

  /** Tells `others` what one page has changed, as a browser does a little later. */
  tell(...others: Pick<Drafts, "follow">[]): void {
    for (const change of this.#changes.splice(0)) for (const other of others) other.follow(change);
  }

  #change(key: string, newValue: string | null): void {
    const oldValue = this.getItem(key);
    if (oldValue !== newValue) this.#changes.push({ key, oldValue, newValue });
  }
}

/** Logins of one browser's pages. */
export class FakeLogins implements Logins {
  /** What this page told the others. */
  readonly told: string[] = [];
  #heeding: (uid: string) => void = () => {};

  announce(uid: string): void {
    this.told.push(uid);
  }

  heed(act: (uid: string) => void): void {
    this.#heeding = act;
  }

  /** With another page `uid` logs in. */
  elsewhere(uid: string): void {
    this.#heeding(uid);
  }
}
