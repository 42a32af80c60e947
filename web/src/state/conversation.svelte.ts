/** One conversation as this page knows it: its newest entries, positions and counts. */

import { SvelteMap } from "svelte/reactivity";
import {
  authorOf,
  type ConversationItem,
  type ConvID,
  type Entry,
  type GroupChange,
  otherOf,
  type Position,
  type ReceiptRow,
  type Seq,
  type Skip,
  type Uid,
} from "../wire/wire.ts";
import { NOWHERE, type OtherPlace, type Place, type Spot } from "./places.ts";
import { Roster } from "./roster.svelte.ts";
import {
  amended,
  appended,
  changed,
  groupChangeOf,
  indexOfSeq,
  isChange,
  isShown,
  prepended,
  uidsOf,
  unbroken,
} from "./timeline.ts";

/** How an entry met the position: next in line, seen before, or after something missing. */
export type Accepted = "next" | "copy" | "gap";

export type LoadState = "idle" | "loading" | "failed";

export class Conversation {
  readonly id: ConvID;
  readonly me: Uid;
  /** The other person of a pair; null in a group. */
  readonly other: Uid | null;
  name = $state("");
  /** Its name is known, or has been waited for long enough: it may be listed. */
  named = $state(true);
  left = $state(false);
  /** The newest entry that is shown, for the list. */
  last = $state.raw<Entry | null>(null);
  /** When the newest entry that the list told of was stored, in ms: it need not be one that is shown. */
  toldAt = $state<number | null>(null);
  /** N of the newest entry. */
  count = $state(0);
  /** N at the own displayed position. */
  displayedCount = $state(0);
  delivered = $state(0);
  displayed = $state(0);
  /** What was here was forgotten: what is read by now the list will tell. */
  unsure = $state(false);
  /** Ascending and complete from the first one here up to the position, or up to the hole. */
  entries = $state.raw<readonly Entry[]>([]);
  /** What is behind the hole, up to the position, while somebody reads before it; null: no hole. */
  ahead = $state.raw<readonly Entry[] | null>(null);
  /** Older entries can be fetched. */
  more = $state(true);
  history = $state<LoadState>("idle");
  /** How the hole is being filled. */
  filling = $state<LoadState>("idle");
  readonly places = new SvelteMap<Uid, Place>();
  /** Of a large group: how many have each of one's own messages. */
  readonly readers = new SvelteMap<Seq, Place>();
  /** Who is in it, if it is a group. */
  readonly roster: Roster;
  /** Whom one wanted to add last, and who is asked first. */
  asked = $state.raw<readonly Uid[]>([]);
  /** Or they were in before: not everybody who is in is known. */
  mayBeIn = $state(false);
  /** Older entries that a reply means, fetched alone; null: there is no such entry to see. */
  readonly quoted = new SvelteMap<Seq, Entry | null>();
  /** Of the present members, or of all who were heard of while nobody said who is in. Worked out
   * once for the many messages that are shown. */
  readonly others: readonly OtherPlace[] = $derived.by(() => {
    const { complete, members } = this.roster;
    if (!complete) return [...this.places.values()].map((place) => ({ ...place, since: 0 }));
    const present = [...members.values()].filter(({ uid }) => uid !== this.me);
    return present.map(({ uid, since }) => ({ ...NOWHERE, ...this.places.get(uid), since }));
  });
  readonly unread = $derived(
    this.left || this.unsure ? 0 : Math.max(0, this.count - this.displayedCount),
  );
  /** Where one was reading when it was last open; null: at its end. */
  spot: Spot | null = null;
  /** Somebody reads further up: what is here stays. */
  readsUp = false;
  /** The cursor: everything up to it has been met. */
  position: Seq = 0;
  /** The last entry that the list told of. */
  #listed: Seq = 0;
  /** The entries that told the name, and whether one is in, last. */
  #namedAt: Seq = 0;
  #placedAt: Seq = 0;

  constructor(id: ConvID, me: Uid) {
    this.id = id;
    this.me = me;
    this.other = otherOf(id, me);
    this.roster = new Roster(me);
    this.name = this.other ?? id;
  }

  /** Whether it goes on, and one is in it. */
  get open(): boolean {
    return !this.left && !this.roster.settings.closed;
  }

  /** Whether one may write messages here, as far as is known. */
  get writable(): boolean {
    return this.open && (!this.roster.settings.announcements || this.roster.isAdmin);
  }

  /** Whether its log has begun, as far as is known. */
  get begun(): boolean {
    return this.last !== null || this.position > 0;
  }

  /** Something new could not be fetched: it has not been read, nor has what came after it. */
  get lacksNews(): boolean {
    const first = this.entries[0]?.Seq;
    if (first === undefined) return this.more;
    return this.history === "failed" && first > this.displayed + 1;
  }

  /** How far its log reaches at least. */
  get heard(): Seq {
    return Math.max(this.position, this.#listed);
  }

  /** The entries that end at the position. */
  get newest(): readonly Entry[] {
    return this.ahead ?? this.entries;
  }

  /** Takes what the list says, which may be older or newer than what the channel told. */
  adopt(item: ConversationItem): void {
    const asOf = item.last?.Seq ?? 0;
    if (this.#isOther(item.last)) this.#forget();
    if (asOf >= this.#listed) {
      this.#listed = asOf;
      this.toldAt = item.last?.StoredAt ?? null;
    }
    if (asOf >= this.#namedAt) this.name = item.name || this.name;
    if (asOf >= this.#placedAt) this.left = item.left;
    this.named = true;
    this.count = Math.max(this.count, item.N);
    // The list may be from before what has come by now, an edit of `last`, say.
    if (asOf >= this.position || this.last === null) this.#show(item.last);
    if (item.last?.EvtType === "close") this.roster.meet(item.last);
    this.moveOwn({ ...item, N: item.N - item.unread });
  }

  /** Begins at `position` with `entries` that end there, if nothing has been met yet. */
  begin(position: Seq, entries: readonly Entry[]): void {
    if (this.position > 0) return;
    this.position = position;
    if (position > 0) this.more = true;
    this.entries = entries;
    this.last ??= entries.findLast(isShown) ?? null;
  }

  accept(entry: Entry): Accepted {
    if (entry.Seq <= this.position) return "copy";
    if (entry.Seq > this.position + 1) return "gap";
    this.position = entry.Seq;
    this.#append(entry);
    this.count = Math.max(this.count, entry.N ?? 0);
    this.#show(entry);
    this.#moveByEntry(entry);
    this.roster.meet(entry);
    return "next";
  }

  /** One that ends before the position is another log, of which nothing is here. */
  skip({ Seq: seq, N, more }: Skip): void {
    if (seq < this.position) this.#goBack(seq);
    else if (more || seq > this.position) this.#passOver(more);
    this.position = seq;
    this.count = Math.max(this.count, N ?? 0);
    this.roster.outdate();
  }

  /** History begins anew behind what was passed over. If that can be fetched it is a hole, before which
   * somebody may read; else nobody tells what it has changed of what is here, but the store. */
  #passOver(more: boolean): void {
    this.quoted.clear();
    this.ahead = [];
    if (!more || !this.readsUp || this.entries.length === 0) this.toEnd();
  }

  /** Nobody has come farther than the log. */
  #goBack(seq: Seq): void {
    this.#forget();
    this.#listed = Math.min(this.#listed, seq);
    this.#namedAt = Math.min(this.#namedAt, seq);
    this.#placedAt = Math.min(this.#placedAt, seq);
    for (const [uid, { delivered, displayed }] of this.places) {
      this.places.set(uid, {
        delivered: Math.min(delivered, seq),
        displayed: Math.min(displayed, seq),
      });
    }
    for (const own of this.readers.keys()) if (own > seq) this.readers.delete(own);
  }

  /** Whether `last`, as the store has it, is not what was here by its number. */
  #isOther(last: Entry | null): boolean {
    const here = this.at(last?.Seq);
    if (!here || !last) return false;
    return here.MsgID !== last.MsgID && here.StoredAt !== last.StoredAt;
  }

  /** What is here the store has lost, as where a backup was restored: it may have something else by
   * the same numbers. */
  #forget(): void {
    this.entries = [];
    this.ahead = null;
    this.more = true;
    this.readsUp = false;
    this.spot = null;
    this.quoted.clear();
    this.last = null;
    this.count = 0;
    this.delivered = 0;
    this.displayed = 0;
    this.displayedCount = 0;
    this.unsure = true;
    this.roster.outdate();
  }

  /** Who goes to the newest lets go of what is before the hole. */
  toEnd(): void {
    this.readsUp = false;
    if (this.ahead === null) return;
    this.entries = this.ahead;
    this.ahead = null;
    this.more = true;
  }

  /** Takes what follows `after`, where the hole begins; `more`: there is more of it to fetch. */
  fill(after: Seq, newer: readonly Entry[], more: boolean): void {
    if (this.ahead === null || this.entries.at(-1)?.Seq !== after) return; // gone to the end meanwhile
    const end = this.ahead[0]?.Seq ?? this.position + 1;
    const filled = newer.filter(({ Seq }) => Seq < end).reduce(appended, [...this.entries]);
    const whole = !more || (newer.at(-1)?.Seq ?? 0) >= end - 1;
    this.entries = whole ? prepended(filled, this.ahead) : filled;
    if (whole) this.ahead = null;
  }

  prepend(older: readonly Entry[], more: boolean): void {
    this.entries = prepended(older, this.entries);
    this.more = more;
    this.last ??= this.entries.findLast(isShown) ?? null;
  }

  /** Lets go of what is older than the newest `keep` entries. */
  trim(keep: number): void {
    this.toEnd();
    if (this.entries.length <= keep) return;
    this.entries = this.entries.slice(-keep);
    this.more = true;
  }

  /** The own positions, never back. `N`: at the displayed one. */
  moveOwn({ delivered, displayed, N }: Pick<Position, "delivered" | "displayed" | "N">): void {
    this.delivered = Math.max(this.delivered, delivered, displayed);
    if (displayed < this.displayed) return;
    this.displayed = displayed;
    this.displayedCount = Math.max(this.displayedCount, N);
  }

  moveOther(uid: Uid, kind: "delivery" | "display", seq: Seq): void {
    const { delivered, displayed } = this.places.get(uid) ?? NOWHERE;
    this.places.set(uid, {
      delivered: Math.max(delivered, seq),
      displayed: kind === "display" ? Math.max(displayed, seq) : displayed,
    });
  }

  /** A snapshot says what holds; counts and members' places come in the same form. */
  takeReceipts(rows: readonly ReceiptRow[]): void {
    for (const [key, delivered, displayed] of rows) {
      if (typeof key === "number") this.readers.set(key, { delivered, displayed });
      else if (key !== this.me) this.places.set(key, { delivered, displayed });
    }
  }

  /** The entry `seq`, if there is one here. */
  at(seq: Seq | undefined): Entry | undefined {
    const at = indexOfSeq(this.entries, seq ?? 0);
    return this.entries[at] ?? this.ahead?.[indexOfSeq(this.ahead, seq ?? 0)];
  }

  /** Of `uids`, whom one wanted to add, those whom `entry` did not bring in. */
  wanted(uids: readonly Uid[], entry: Entry | undefined): void {
    const added = entry ? uidsOf(entry) : [];
    const { complete, members, state } = this.roster;
    this.asked = uids.filter((uid) => !added.includes(uid) && !members.has(uid));
    this.mayBeIn = entry?.EvtType !== "create" && !(complete && state === "known");
  }

  /** N at `seq` among the entries here, for the own displayed position. */
  countAt(seq: Seq): number {
    const here = this.entries.findLast((entry) => entry.Seq <= seq);
    return here?.N ?? (seq >= this.position ? this.count : this.displayedCount);
  }

  /** Takes the older entry `seq` that a reply means, as what has come by now changed it. */
  quote(seq: Seq, meant: Entry | undefined): void {
    const about = this.newest.filter(({ Refers }) => Refers === seq);
    const changes = about.filter(({ EvtType }) => isChange(EvtType));
    this.quoted.set(seq, meant ? changes.reduce(changed, meant) : null);
  }

  #append(entry: Entry): void {
    this.#changeQuoted(entry);
    if (this.ahead === null) {
      this.entries = appended(this.entries, entry);
      return;
    }
    this.ahead = appended(this.ahead, entry);
    if (isChange(entry.EvtType)) this.entries = amended(this.entries, entry);
  }

  #changeQuoted(entry: Entry): void {
    const { EvtType, Refers = 0 } = entry;
    const quoted = isChange(EvtType) && this.quoted.get(Refers);
    if (quoted) this.quoted.set(Refers, changed(quoted, entry));
  }

  /** The `last` of the list follows changes of that very entry, too. */
  #show(entry: Entry | null): void {
    if (!entry) return;
    if (isShown(entry)) {
      if (!this.last || entry.Seq >= this.last.Seq) this.last = entry;
    } else if (this.last && entry.Refers === this.last.Seq && isChange(entry.EvtType)) {
      this.last = changed(this.last, entry);
    }
  }

  #moveByEntry(entry: Entry): void {
    const own = authorOf(entry) === this.me;
    if (entry.EvtType === "create" && entry.Name) this.#rename(entry.Name, entry.Seq);
    if (entry.EvtType === "join") {
      this.asked = this.asked.filter((uid) => !uidsOf(entry).includes(uid));
    }
    if (entry.EvtType === "group") this.#change(groupChangeOf(entry), entry.Seq);
    if (entry.EvtType === "remove" && uidsOf(entry).includes(this.me)) this.#place(true, entry.Seq);
    if (entry.EvtType === "message" && own) {
      this.moveOwn({ delivered: entry.Seq, displayed: entry.Seq, N: entry.N ?? 0 });
      this.#expectReaders(entry.Seq);
    } else if (entry.EvtType === "depart" && own) this.#place(true, entry.Seq);
    else if (this.#comesIn(entry, own)) {
      this.#place(false, entry.Seq);
      this.moveOwn({ delivered: entry.Seq - 1, displayed: entry.Seq - 1, N: entry.N ?? 0 });
    }
  }

  /** Nobody has it yet; where places are not told, counts tell when somebody does. */
  #expectReaders(seq: Seq): void {
    if (this.other !== null || this.places.size > 0 || this.readers.has(seq)) return;
    this.readers.set(seq, NOWHERE);
  }

  /** A group without a name is called by its id; an open history may go further back, and has what
   * came while one was not there. */
  #change({ name, history_open }: GroupChange, at: Seq): void {
    if (name !== undefined) this.#rename(name || this.id, at);
    if (!history_open) return;
    this.more = true;
    this.quoted.clear();
    this.entries = unbroken(this.entries);
  }

  #rename(name: string, at: Seq): void {
    this.name = name;
    this.named = true;
    this.#namedAt = at;
  }

  #place(left: boolean, at: Seq): void {
    this.left = left;
    this.#placedAt = at;
  }

  #comesIn(entry: Entry, own: boolean): boolean {
    if (entry.EvtType !== "create" && entry.EvtType !== "join") return false;
    return (own && entry.EvtType === "create") || uidsOf(entry).includes(this.me);
  }
}
