/** What is being written in one conversation: the next message, or an own one anew. */

import type { Entry, Seq } from "../wire/wire.ts";
import type { Conversation } from "./conversation.svelte.ts";
import { type Draft, type Drafts, isBlank, unsentOf } from "./drafts.svelte.ts";

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
    this.#put({ reply: seq, edit: undefined });
  }

  /** An own message is written anew, beginning with `text`. */
  rewrite({ Seq: seq, Body: was }: Entry, text = was): void {
    this.#put({ edit: { seq, was, text } });
  }

  /** Gives up the edit, else the reply: the draft is what is written again. */
  cancel(): void {
    this.#put(this.draft.edit ? { edit: undefined } : { reply: undefined });
  }

  /** Puts `more` ahead of the draft. */
  take(more: string): void {
    const { text } = this.draft;
    this.#put({ text: text ? `${more}\n${text}` : more, edit: undefined });
  }

  /** The draft has been sent. */
  sent(): void {
    this.#put({ text: "", reply: undefined });
  }

  /** An edit ends where `meant`, its message, is deleted; what was written for it is kept. */
  heed(meant: Entry | null | undefined): void {
    const { edit } = this.draft;
    if (!edit || edit.seq !== meant?.Seq || meant.Deleted === undefined) return;
    if (edit.text === edit.was || isBlank(edit.text)) this.cancel();
    else this.take(edit.text);
  }

  #put(change: Partial<Draft>): void {
    this.#drafts.put(this.#conversation.id, { ...this.draft, ...change });
  }
}
