/** What of an open log was new to who came to it: where it begins, how much it is, and where it is. */

import type { Conversation } from "../state/conversation.svelte.ts";
import type { Entry, Seq } from "../wire/wire.ts";
import { below, newLineIn } from "./scroll.ts";

export class News {
  readonly #conversation: Conversation;
  /** Where "New" is drawn; null: nowhere. */
  after = $state<Seq | null>(null);
  /** So many were new when "New" was drawn; 0: whoever is here has been there. */
  missed = $state(0);
  /** The first of them is above what is in view. */
  isAbove = $state(false);

  /** Made before anything here tells that it is read. */
  constructor(conversation: Conversation) {
    this.#conversation = conversation;
    this.missed = conversation.unread;
    this.after = conversation.unread > 0 ? conversation.displayed : null;
  }

  /** What arrives while nobody looks is marked as new. */
  nobodyLooks(): void {
    this.missed = this.#conversation.unread;
    this.after = this.#conversation.displayed;
  }

  /** Whoever has had the first of the news in view needs no way there. `entries` are those here,
   * of which the page has those from `start` on. */
  look(log: HTMLElement, entries: readonly Entry[], start: number, present: boolean): void {
    if (this.missed === 0) return;
    const mark = newLineIn(log);
    if (this.#reachFarther(entries, start)) this.isAbove = log.scrollHeight > log.clientHeight;
    else if (mark) this.isAbove = below(log, mark) < 0;
    if (mark && !this.isAbove && present) this.missed = 0;
  }

  /** Whether there is news before what is on the page. */
  #reachFarther(entries: readonly Entry[], start: number): boolean {
    const [before, first] = [entries[start - 1], entries[start]];
    if (before) return before.Seq > (this.after ?? 0);
    return this.#conversation.more && first !== undefined && first.Seq > (this.after ?? 0) + 1;
  }
}
