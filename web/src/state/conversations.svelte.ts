/** All conversations of the user: the list, who is in it, and each one's history on demand. */

import { SvelteMap } from "svelte/reactivity";
import { asFailure } from "../wire/failure.ts";
import {
  authorOf,
  type ConversationItem,
  type ConvID,
  type Entry,
  isGroup,
  otherOf,
  type Seq,
  type Uid,
} from "../wire/wire.ts";
import { Conversation } from "./conversation.svelte.ts";
import type { People } from "./people.svelte.ts";
import type { Api, Clock, KeptLog } from "./ports.ts";

export interface HistorySettings {
  /** Entries fetched at once. */
  pageEntries: number;
  /** Further behind than this, kept entries are dropped rather than caught up with. */
  catchUpEntries: number;
  /** Entries kept of a conversation that is not open; twice as many are let grow before. */
  keptEntries: number;
  /** The same of the open conversation while its newest are read. */
  openEntries: number;
  /** So many pages, and so many entries by each, are fetched at most to come to what is far back. */
  farPages: number;
  farEntries: number;
  /** One that came up live waits at most so long for its name before it is listed. */
  nameWaitMs: number;
}

export const HISTORY_DEFAULTS: HistorySettings = {
  pageEntries: 50,
  catchUpEntries: 150,
  keptEntries: 50,
  openEntries: 300,
  farPages: 20,
  farEntries: 200,
  nameWaitMs: 1_000,
};

export class Conversations {
  readonly me: Uid;
  readonly #api: Api;
  readonly #people: People;
  readonly #clock: Pick<Clock, "after">;
  readonly #settings: HistorySettings;
  readonly #byId = new SvelteMap<ConvID, Conversation>();
  /** Pages of older entries that are being fetched. */
  readonly #fetching = new Map<ConvID, Promise<void>>();
  /** Entries that are being fetched alone. */
  readonly #asked = new Set<string>();
  /** Forgets, each, an entry that was asked for while nobody could answer. */
  #unanswered: (() => void)[] = [];
  #kept = new Map<ConvID, KeptLog>();
  /** The list has been fetched at least once. */
  loaded = $state(false);
  readonly unread = $derived(
    [...this.#byId.values()].reduce((sum, conversation) => sum + conversation.unread, 0),
  );

  constructor(
    me: Uid,
    api: Api,
    people: People,
    clock: Pick<Clock, "after">,
    settings: HistorySettings = HISTORY_DEFAULTS,
  ) {
    this.me = me;
    this.#clock = clock;
    this.#api = api;
    this.#people = people;
    this.#settings = settings;
  }

  get(id: ConvID): Conversation | undefined {
    return this.#byId.get(id);
  }

  all(): Conversation[] {
    return [...this.#byId.values()];
  }

  /** The one with `id`, made if it is new to this page. */
  ensure(id: ConvID): Conversation {
    const known = this.#byId.get(id);
    if (known) return known;
    const conversation = new Conversation(id, this.me);
    if (conversation.other) conversation.name = this.#people.name(conversation.other);
    this.#byId.set(id, conversation);
    return conversation;
  }

  /** The one with `id` that an event tells of; a new one is listed with its name. */
  meet(id: ConvID): Conversation {
    const known = this.#byId.get(id);
    if (known) return known;
    const conversation = this.ensure(id);
    conversation.named = false;
    this.#clock.after(this.#settings.nameWaitMs, () => {
      conversation.named = true;
    });
    return conversation;
  }

  /** What was kept over the reload, for the first `load`. */
  remember(kept: KeptLog[]): void {
    this.#kept = new Map(kept.map((log) => [log.ConvID, log]));
  }

  /** Fetches the whole list. Rejects with a Failure. */
  async load(): Promise<Conversation[]> {
    const met: Conversation[] = [];
    let before: string | null = null;
    do {
      const page = await this.#api.conversations(before);
      met.push(...page.items.map((item) => this.#take(item)));
      before = page.next;
    } while (before !== null);
    this.loaded = true;
    return met;
  }

  /** Finds out about a conversation that is not in the list: false if there is none for the user. */
  async find(id: ConvID): Promise<boolean> {
    if (this.#byId.has(id)) return true;
    const name = await this.#nameOf(id);
    if (name === null) return false;
    this.ensure(id).name = name;
    return true;
  }

  /** Fetches `most` older entries, if there are any; resolves with those that are under way. */
  async loadOlder(
    conversation: Conversation,
    most: number = this.#settings.pageEntries,
  ): Promise<void> {
    if (!conversation.begun) conversation.more = false;
    if (!conversation.more) return;
    const { id } = conversation;
    const underWay =
      this.#fetching.get(id) ??
      this.#fetchOlder(conversation, most).finally(() => this.#fetching.delete(id));
    this.#fetching.set(id, underWay);
    await underWay;
  }

  /** Fetches what there is from the entry `seq` on, as long as somebody waits for it. */
  async loadFrom(conversation: Conversation, seq: Seq, isAwaited: () => boolean): Promise<void> {
    const { farPages, farEntries } = this.#settings;
    for (let page = 0; page < farPages && (conversation.entries[0]?.Seq ?? 0) > seq; page += 1) {
      if (!isAwaited() || !conversation.more || conversation.history === "failed") break;
      await this.loadOlder(conversation, farEntries);
    }
  }

  async #fetchOlder(conversation: Conversation, most: number): Promise<void> {
    conversation.history = "loading";
    try {
      const before = conversation.entries[0]?.Seq ?? conversation.position + 1;
      const page = await this.#api.eventsBefore(conversation.id, before, most);
      this.#prepend(conversation, before, page.items, page.next !== null);
      conversation.history = "idle";
    } catch {
      conversation.history = "failed";
    }
  }

  /** Fetches what comes next in the hole before which somebody reads, if there is one. */
  async loadNewer(conversation: Conversation): Promise<void> {
    const after = conversation.entries.at(-1)?.Seq;
    if (conversation.ahead === null || after === undefined) return;
    if (conversation.filling === "loading") return;
    conversation.filling = "loading";
    try {
      const { id } = conversation;
      const page = await this.#api.eventsAfter(id, after, this.#settings.pageEntries);
      conversation.fill(after, page.items, page.next !== null);
      conversation.filling = "idle";
      for (const entry of page.items) this.#people.name(authorOf(entry));
    } catch {
      conversation.filling = "failed";
    }
  }

  /** The entry `seq` that a reply means: null if there is none to see, undefined until it is known. */
  quoted(conversation: Conversation, seq: Seq): Entry | null | undefined {
    const { quoted } = conversation;
    const here = conversation.at(seq);
    if (here) return here;
    const asked = `${conversation.id} ${seq}`;
    if (!quoted.has(seq) && !this.#asked.has(asked)) {
      this.#asked.add(asked);
      void this.#fetchQuoted(conversation, seq).finally(() => this.#asked.delete(asked));
    }
    return quoted.get(seq);
  }

  async #fetchQuoted(conversation: Conversation, seq: Seq): Promise<void> {
    const { id, quoted } = conversation;
    try {
      const { items } = await this.#api.eventsBefore(id, seq + 1, 1);
      const meant = items.find((entry) => entry.Seq === seq);
      conversation.quote(seq, meant);
    } catch (thrown) {
      quoted.set(seq, null); // a reply without its quote is still read
      if (asFailure(thrown).transient) this.#unanswered.push(() => quoted.delete(seq));
    }
  }

  /** Quoted entries for which nobody could answer are asked for again where they are shown. */
  quoteAgain(): void {
    for (const forget of this.#unanswered) forget();
    this.#unanswered = [];
  }

  /** What nobody could answer is asked for again where it is shown. */
  resume(): void {
    this.quoteAgain();
    for (const conversation of this.#byId.values()) {
      if (conversation.history === "failed") conversation.history = "idle";
      if (conversation.filling === "failed") conversation.filling = "idle";
    }
  }

  /** Makes sure that a conversation that was just opened shows its newest entries. */
  async open(conversation: Conversation): Promise<void> {
    if (conversation.entries.length < this.#settings.pageEntries)
      await this.loadOlder(conversation);
  }

  /** Lets go of what a conversation that is not open any more need not hold. */
  leave(conversation: Conversation): void {
    conversation.trim(this.#settings.keptEntries);
  }

  /** Bounds what gathers in a conversation that is not open. */
  bound(conversation: Conversation): void {
    if (conversation.entries.length > 2 * this.#settings.keptEntries) this.leave(conversation);
  }

  /** Bounds what gathers in the open one, unless somebody reads further up or is on the way there. */
  boundOpen(conversation: Conversation): void {
    const { openEntries } = this.#settings;
    if (conversation.readsUp || conversation.history === "loading") return;
    if (conversation.entries.length > 2 * openEntries) conversation.trim(openEntries);
  }

  /** The cursor and newest entries of `conversation`, to keep. */
  keepable(conversation: Conversation): KeptLog {
    const entries = conversation.newest.slice(-this.#settings.keptEntries);
    return { ConvID: conversation.id, position: conversation.position, entries };
  }

  /** A page that arrives after a `skip` made its hole elsewhere is dropped. */
  #prepend(conversation: Conversation, before: number, items: Entry[], more: boolean): void {
    const now = conversation.entries[0]?.Seq ?? conversation.position + 1;
    if (now !== before) return;
    conversation.prepend(items, more);
    for (const entry of items) this.#people.name(authorOf(entry));
  }

  #take(item: ConversationItem): Conversation {
    const other = otherOf(item.ConvID, this.me);
    if (other) this.#people.learn({ uid: other, name: item.name }); // first: it need not be asked for
    const conversation = this.ensure(item.ConvID);
    const last = item.last?.Seq ?? 0;
    const kept = this.#usable(item.ConvID, last);
    conversation.begin(kept?.position ?? last, kept?.entries ?? []);
    conversation.adopt(item);
    if (conversation.last === null) void this.#loadShown(conversation);
    return conversation;
  }

  /** The newest entries may be reactions, say: what the list shows is further back. */
  async #loadShown(conversation: Conversation): Promise<void> {
    await this.loadOlder(conversation);
    await this.loadFrom(conversation, 1, () => conversation.last === null);
  }

  #usable(id: ConvID, last: number): KeptLog | undefined {
    const kept = this.#kept.get(id);
    this.#kept.delete(id);
    if (!kept || kept.entries.length === 0) return undefined;
    const behind = last - kept.position;
    return behind >= 0 && behind <= this.#settings.catchUpEntries ? kept : undefined;
  }

  async #nameOf(id: ConvID): Promise<string | null> {
    const other = otherOf(id, this.me);
    if (other === null && !isGroup(id)) return null;
    try {
      if (other === null) return (await this.#api.conversation(id)).name;
      const person = await this.#api.person(other);
      this.#people.learn(person);
      return person.name;
    } catch (thrown) {
      const failure = asFailure(thrown);
      if (failure.transient) throw failure;
      return null;
    }
  }
}
