/** What is being written in one conversation: the next message, or an own one anew. */

import type { Entry, Seq } from "../wire/wire.ts";
import type { Conversation } from "./conversation.svelte.ts";
import { type Draft, type Drafts, isBlank, unsentOf } from "./drafts.svelte.ts";
import type { Pending } from "./ports.ts";

/** The lines ahead of the first that has anything in it. */
const LEADING_LINES = /^(?:[^\S\n]*\n)+/;

export class Writing {
  readonly #conversation: Conversation;
  readonly #drafts: Drafts;

  constructor(conversation: Conversation, drafts: Drafts) {
    this.#conversation = conversation;
    this.#drafts = drafts;
    drafts.recall(conversation.id);
  }

  get draft(): Draft {
    return this.#drafts.get(this.#conversation.id);
  }

  /** What is in the box. */
  get text(): string {
    return this.draft.edit?.text ?? this.draft.text;
  }

  /** That as it is sent: without what is empty around it, and with the indent of its first line. */
  get ready(): string {
    return this.text.trimEnd().replace(LEADING_LINES, "");
  }

  set text(text: string) {
    const { edit } = this.draft;
    this.#put(edit ? { edit: { ...edit, text } } : { text });
  }

  /** The message that is rewritten or replied to. */
  get about(): Seq | undefined {
    return this.draft.edit?.seq ?? this.draft.reply;
  }

  /** What was written and not sent. */
  get unsent(): string[] {
    return unsentOf(this.draft);
  }

  /** The next message is a reply to the entry `seq`. */
  reply(seq: Seq): void {
    this.#put({ text: this.#kept, reply: seq, edit: undefined });
  }

  /** An own message is written anew, beginning with `text`; one that is being written anew goes on. */
  rewrite({ Seq: seq, Body: was }: Entry, text?: string): void {
    if (text === undefined && this.draft.edit?.seq === seq) return;
    this.#put({ text: this.#kept, edit: { seq, was, text: text ?? was } });
  }

  /** What was refused is written once more: of a message that is here as its edit, else ahead of the
   * draft, as the reply that it was, if it was one. */
  again({ kind, refers, text }: Pick<Pending, "kind" | "refers" | "text">): void {
    const isEdit = kind === "edit";
    const entry = isEdit ? this.#conversation.at(refers) : undefined;
    const reply = isEdit ? this.draft.reply : refers;
    if (entry && entry.Deleted === undefined) this.rewrite(entry, text);
    else this.#put({ text: ahead(text, this.#kept), reply, edit: undefined });
  }

  /** Gives up the edit, else the reply: the draft is what is written again. */
  cancel(): void {
    this.#put(this.draft.edit ? { edit: undefined } : { reply: undefined });
  }

  /** The draft has been sent. */
  sent(): void {
    this.#put({ text: "", reply: undefined });
  }

  /** An edit ends where `meant`, its message, is deleted. */
  heed(meant: Entry | null | undefined): void {
    const { edit } = this.draft;
    if (!edit || edit.seq !== meant?.Seq || meant.Deleted === undefined) return;
    this.#put({ text: this.#kept, edit: undefined });
  }

  /** The draft where an edit ends that was not given up: what was written for that is ahead of it. */
  get #kept(): string {
    const { text, edit } = this.draft;
    const isLost = edit !== undefined && edit.text !== edit.was && !isBlank(edit.text);
    return isLost ? ahead(edit.text, text) : text;
  }

  #put(change: Partial<Draft>): void {
    this.#drafts.put(this.#conversation.id, { ...this.draft, ...change });
  }
}

function ahead(more: string, text: string): string {
  return text ? `${more}\n${text}` : more;
}
