/** What is being written, per conversation, kept over a reload. */

import type { ConvID, Uid } from "../wire/wire.ts";

export class Drafts {
  readonly #prefix: string;
  readonly #storage: Storage | null;

  /** `storage`: null where the browser offers none; then nothing is kept. */
  constructor(uid: Uid, storage: Storage | null) {
    this.#prefix = `webchat:draft:${uid}:`;
    this.#storage = storage;
  }

  get(conv: ConvID): string {
    return this.#storage?.getItem(this.#prefix + conv) ?? "";
  }

  set(conv: ConvID, text: string): void {
    try {
      if (text) this.#storage?.setItem(this.#prefix + conv, text);
      else this.#storage?.removeItem(this.#prefix + conv);
    } catch {
      // A full storage costs the draft of a closed page, nothing else.
    }
  }
}
