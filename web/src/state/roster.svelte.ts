/** Who is in a group, and by which rules: asked for page by page, then kept up with the log. */

import { SvelteMap } from "svelte/reactivity";
import {
  authorOf,
  type ConversationDetails,
  type Entry,
  type GroupSettings,
  type Member,
  type Page,
  type Seq,
  type Uid,
} from "../wire/wire.ts";
import { groupChangeOf, roleChangeOf, settingsAfter, uidsOf } from "./timeline.ts";

export type RosterState = "unknown" | "loading" | "known" | "failed";

/** In groups above this size counts are told instead of everybody's place. */
const COUNTED_ABOVE = 100;

const USUAL: GroupSettings = {
  history_open: false,
  announcements: false,
  public: false,
  closed: false,
};

export class Roster {
  readonly #me: Uid;
  /** Those who were asked for, by uid. */
  readonly members = new SvelteMap<Uid, Member>();
  /** How many there are; null until it is known. */
  count = $state<number | null>(null);
  /** One's own role, "" where it is not known. */
  role = $state("");
  /** Behind whom the members follow that were not asked for yet; null: nobody is missing. */
  next = $state<Uid | null>(null);
  state = $state<RosterState>("unknown");
  settings = $state.raw<GroupSettings>(USUAL);
  /** When it was last asked what the members are called, in ms. */
  namedAt = 0;
  /** Goes up with each change that the log tells. */
  changes = 0;
  /** What was asked for tells of the log at least up to here. */
  #asOf: Seq = 0;

  constructor(me: Uid) {
    this.#me = me;
  }

  get isAdmin(): boolean {
    return this.role === "owner" || this.role === "admin";
  }

  /** Whether it is known to be so large that counts are told instead of everybody's place. */
  get large(): boolean {
    return this.count !== null && this.count > COUNTED_ABOVE;
  }

  /** Whether `members` are all there are. */
  get complete(): boolean {
    return this.count !== null && this.next === null;
  }

  /** What is known is not what holds any more. */
  outdate(): void {
    this.changes += 1;
    if (this.state === "known") this.state = "unknown";
  }

  /** Begins anew with the first page, which was asked for when the log was known to reach `asOf`. */
  begin({ members, role, group }: ConversationDetails, page: Page<Member>, asOf: Seq): void {
    this.#asOf = asOf;
    this.members.clear();
    this.take(page);
    this.role = role;
    this.settings = group ?? USUAL;
    this.count = page.next === null ? page.items.length : members;
    this.state = "known";
  }

  /** Takes a further page. */
  take({ items, next }: Page<Member>): void {
    for (const member of items) this.members.set(member.uid, member);
    this.next = next;
  }

  /** Follows an entry of the log, which may come after what was asked for has told of it. */
  meet(entry: Entry): void {
    if (entry.Seq <= this.#asOf) return;
    switch (entry.EvtType) {
      case "create":
        this.outdate();
        break;
      case "join":
        this.#join(uidsOf(entry), entry.Seq);
        break;
      case "depart":
        this.#leave([authorOf(entry)], entry.Seq);
        if (entry.Owner) this.#become(entry.Owner, "owner");
        break;
      case "remove":
        this.#leave(uidsOf(entry), entry.Seq);
        break;
      case "role":
        this.#changeRole(entry);
        break;
      case "group":
        this.#changeSettings(groupChangeOf(entry));
        break;
      case "close":
        this.#changeSettings({ closed: true });
    }
  }

  #join(uids: Uid[], since: Seq): void {
    this.changes += 1;
    const added = uids.filter((uid) => (this.members.get(uid)?.since ?? 0) < since);
    for (const uid of added) this.members.set(uid, { uid, name: "", role: "member", since });
    if (added.includes(this.#me)) this.outdate();
    if (this.count !== null) this.count += added.length;
  }

  #leave(uids: Uid[], at: Seq): void {
    this.changes += 1;
    const gone = uids.filter((uid) => this.#isCounted(uid, at));
    for (const uid of gone) this.members.delete(uid);
    if (this.count !== null) this.count -= gone.length;
  }

  /** Whether `uid`, who left by the entry `at`, is still among those who are in. */
  #isCounted(uid: Uid, at: Seq): boolean {
    const member = this.members.get(uid);
    if (member) return member.since < at;
    return this.next !== null && uid > this.next;
  }

  #changeRole(entry: Entry): void {
    const change = roleChangeOf(entry);
    if (!change) return;
    if (change.role === "owner") this.#become(authorOf(entry), "admin");
    this.#become(change.uid, change.role);
  }

  #become(uid: Uid, role: string): void {
    this.changes += 1;
    const member = this.members.get(uid);
    if (member) this.members.set(uid, { ...member, role });
    if (uid === this.#me) this.role = role;
  }

  #changeSettings(change: Partial<GroupSettings>): void {
    this.changes += 1;
    this.settings = settingsAfter(this.settings, change);
  }
}
