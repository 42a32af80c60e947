/** What is being written, per conversation, kept over a reload. */

import { SvelteMap } from "svelte/reactivity";
import type { ConvID, Seq, Uid } from "../wire/wire.ts";

/** An own message that is being rewritten: what it said, and what it is to say. */
export interface Rewriting {
  seq: Seq;
  was: string;
  text: string;
}

export interface Draft {
  /** Of the next message. */
  text: string;
  /** What that replies to. */
  reply?: Seq | undefined;
  /** The draft waits until this is done. */
  edit?: Rewriting | undefined;
}

/** What nobody would see: white space, and characters without a shape. */
const UNSEEN = /[\s\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cf}\p{Z}\u2800]/gu;

/** Whether `text` has nothing to be seen. */
export function isBlank(text: string): boolean {
  return text.replace(UNSEEN, "") === "";
}

/** What was written and not sent: the draft, and what a message was to say instead. */
export function unsentOf({ text, edit }: Draft): string[] {
  return [text, edit && edit.text !== edit.was ? edit.text : ""].filter((each) => each !== "");
}

/** The newest of that which has anything to be seen. */
export function writtenIn(draft: Draft): string | undefined {
  return unsentOf(draft).findLast((text) => !isBlank(text));
}

const NOTHING: Draft = { text: "" };

/** What is written in one conversation: that it changes is no news to whoever looks at others. */
class Slot {
  draft = $state.raw<Draft>(NOTHING);
}

export class Drafts {
  readonly #texts: string;
  readonly #more: string;
  readonly #storage: Storage | null;
  readonly #all = new SvelteMap<ConvID, Slot>();
  /** What the storage had no room for. */
  readonly #unkept = new Set<ConvID>();

  /** `storage`: null where the browser offers none; then nothing outlives the page. */
  constructor(uid: Uid, storage: Storage | null) {
    this.#texts = `webchat:draft:${uid}:`;
    this.#more = `webchat:about:${uid}:`;
    this.#storage = storage;
    for (const conv of this.#kept()) this.recall(conv);
  }

  get(conv: ConvID): Draft {
    return this.#all.get(conv)?.draft ?? NOTHING;
  }

  /** The conversations in which something waits to be gone on with. */
  written(): ConvID[] {
    return [...this.#all].flatMap(([conv, { draft }]) =>
      writtenIn(draft) === undefined ? [] : [conv],
    );
  }

  put(conv: ConvID, draft: Draft): void {
    this.#hold(conv, draft);
    try {
      this.#keep(this.#texts + conv, draft.text);
      this.#keep(this.#more + conv, aboutOf(draft));
      this.#unkept.delete(conv);
    } catch {
      this.#unkept.add(conv); // A full storage costs the draft of a closed page, nothing else.
    }
  }

  /** Takes what is kept, which another page of this browser may have written. */
  recall(conv: ConvID): void {
    if (!this.#storage || this.#unkept.has(conv)) return;
    const text = this.#storage.getItem(this.#texts + conv) ?? "";
    this.#hold(conv, { text, ...parsed(this.#storage.getItem(this.#more + conv)) });
  }

  /** Follows what another page of this browser writes, or sends, where this one has the same: what is
   * written with this page alone is not taken away. */
  follow({ key, oldValue, newValue }: Pick<StorageEvent, "key" | "oldValue" | "newValue">): void {
    const [was, now] = [oldValue ?? "", newValue ?? ""];
    for (const conv of convsOf(key, this.#texts)) {
      const draft = this.get(conv);
      if (draft.text === was) this.#hold(conv, { ...draft, text: now });
    }
    for (const conv of convsOf(key, this.#more)) {
      const draft = this.get(conv);
      if (aboutOf(draft) === was) this.#hold(conv, { text: draft.text, ...parsed(now) });
    }
  }

  /** Forgets all of them. */
  clear(): void {
    for (const conv of this.#kept()) this.put(conv, NOTHING);
  }

  #hold(conv: ConvID, draft: Draft): void {
    const slot = this.#all.get(conv) ?? new Slot();
    slot.draft = draft;
    if (!this.#all.has(conv)) this.#all.set(conv, slot);
  }

  #kept(): Set<ConvID> {
    const keys = Array.from({ length: this.#storage?.length ?? 0 }, (_, at) =>
      this.#storage?.key(at),
    );
    const prefixes = [this.#texts, this.#more];
    return new Set(keys.flatMap((key) => prefixes.flatMap((prefix) => convsOf(key, prefix))));
  }

  #keep(key: string, value: string): void {
    if (value) this.#storage?.setItem(key, value);
    else this.#storage?.removeItem(key);
  }
}

/** The conversation that `key` is of, where it begins with `prefix`. */
function convsOf(key: string | null | undefined, prefix: string): ConvID[] {
  return key?.startsWith(prefix) ? [key.slice(prefix.length)] : [];
}

/** As it is kept beside the text; "": there is nothing to keep. */
function aboutOf({ reply, edit }: Draft): string {
  return reply || edit ? JSON.stringify({ reply, edit }) : "";
}

function parsed(json: string | null): Pick<Draft, "reply" | "edit"> {
  try {
    const { reply, edit } = JSON.parse(json || "{}") as Pick<Draft, "reply" | "edit">;
    return { reply, edit };
  } catch {
    return {};
  }
}
