/** What of an open log was new to who came to it: where it begins, how much it is, and where it is. */

import type { Conversation } from "../state/conversation.svelte.ts";
import type { Entry, Seq } from "../wire/wire.ts";
import { isNews } from "./lines.ts";
import { below, newLineIn } from "./scroll.ts";

export class News {
  readonly #conversation: Conversation;
  /** Where "New" is drawn; null: nowhere. */
  after = $state<Seq | null>(null);
  /** So many were new when "New" was drawn; 0: whoever is here has been there. */
  missed = $state(0);
  /** The first of them is above what is in view. */
  isAbove = $state(false);
  /** How far somebody had read when the connection was lost, N there, and what has come by now. */
  #lost: { displayed: Seq; count: number; heard: Seq } | null = null;

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

  /** Nothing can come for a while. */
  connectionLost(): void {
    const { displayed, displayedCount: count, position: heard } = this.#conversation;
    this.#lost = { displayed, count, heard };
  }

  /** What came meanwhile, up to `since`, in ms, is marked as new, also where somebody looks. */
  connectionBack(newest: readonly Entry[], since: number): void {
    const { me } = this.#conversation;
    const lost = this.#lost;
    if (!lost) return;
    const last = newest.findLast((each) => each.StoredAt <= since && isNews(each, me, lost.heard));
    if (!last) return;
    lost.heard = last.Seq;
    this.after = lost.displayed;
    this.missed = Math.max(0, (last.N ?? 0) - lost.count);
  }

  /** Whoever has had the first of the news in view needs no way there. `entries` are those here,
   * of which the page has those from `start` on. */
  look(log: HTMLElement, entries: readonly Entry[], start: number, present: boolean): void {
    if (this.missed === 0) return;
    if (this.#reachFarther(entries, start)) {
      this.isAbove = log.scrollHeight > log.clientHeight;
      return;
    }
    const mark = newLineIn(log);
    this.isAbove = mark !== null && below(log, mark) < 0; // what is not on the page is further down
    if (mark && !this.isAbove && present) this.missed = 0;
  }

  /** Whether there is news before what is on the page. */
  #reachFarther(entries: readonly Entry[], start: number): boolean {
    const [before, first] = [entries[start - 1], entries[start]];
    if (before) return before.Seq > (this.after ?? 0);
    return this.#conversation.more && first !== undefined && first.Seq > (this.after ?? 0) + 1;
  }
}
