/** Who is in a group: asked for page by page, then kept up with the log. */

import { SvelteMap } from "svelte/reactivity";
import type { ConversationDetails, Entry, Member, Page, Uid } from "../wire/wire.ts";
import { uidsOf } from "./timeline.ts";

export type RosterState = "unknown" | "loading" | "known" | "failed";

export class Roster {
  /** Those who were asked for, by uid. */
  readonly members = new SvelteMap<Uid, Member>();
  /** How many there are; null until it is known. */
  count = $state<number | null>(null);
  /** One's own role, "" where it is not known. */
  role = $state("");
  /** Behind whom the members follow that were not asked for yet; null: nobody is missing. */
  next = $state<Uid | null>(null);
  state = $state<RosterState>("unknown");
  /** Goes up with each change that the log tells. */
  changes = 0;

  /** Whether `members` are all there are. */
  get complete(): boolean {
    return this.count !== null && this.next === null;
  }

  /** What is known is not what holds any more. */
  outdate(): void {
    this.changes += 1;
    if (this.state === "known") this.state = "unknown";
  }

  /** Begins anew with the first page. */
  begin({ members, role }: ConversationDetails, page: Page<Member>): void {
    this.members.clear();
    this.take(page);
    this.role = role;
    this.count = page.next === null ? page.items.length : members;
    this.state = "known";
  }

  /** Takes a further page. */
  take({ items, next }: Page<Member>): void {
    for (const member of items) this.members.set(member.uid, member);
    this.next = next;
  }

  /** Follows an entry of the log. */
  meet(entry: Entry, author: Uid): void {
    if (entry.EvtType === "join") this.#join(uidsOf(entry), entry.Seq);
    else if (entry.EvtType === "depart") this.#depart(author);
    else if (entry.EvtType === "create") this.outdate();
  }

  #join(uids: Uid[], since: number): void {
    this.changes += 1;
    const added = uids.filter((uid) => this.members.get(uid)?.since !== since);
    for (const uid of added) this.members.set(uid, { uid, name: "", role: "member", since });
    if (this.count !== null) this.count += added.length;
  }

  #depart(uid: Uid): void {
    this.changes += 1;
    this.members.delete(uid);
    if (this.count !== null) this.count -= 1;
  }
}
