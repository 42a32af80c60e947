/** What one does with groups: making, governing and leaving them; who is in and who has read. */

import {
  type ConvID,
  type GroupChange,
  type GroupSettings,
  isGroup,
  type Member,
  type Page,
  type Person,
  type Reader,
  type RoleChange,
  type Seq,
  type Uid,
} from "../wire/wire.ts";
import type { Conversation } from "./conversation.svelte.ts";
import type { Conversations } from "./conversations.svelte.ts";
import type { Outbox } from "./outbox.svelte.ts";
import type { People } from "./people.svelte.ts";
import type { Api, Clock } from "./ports.ts";
import { groupChangeOf, settingsAfter } from "./timeline.ts";

/** The `Seq` of the entry that made a group. */
const CREATION: Seq = 1;

export class Groups {
  readonly #api: Pick<Api, "conversation" | "eventsBefore" | "members" | "readers">;
  readonly #outbox: Pick<Outbox, "act" | "of">;
  readonly #conversations: Pick<Conversations, "ensure">;
  readonly #people: People;
  readonly #clock: Pick<Clock, "now" | "uuid">;

  constructor(
    api: Pick<Api, "conversation" | "eventsBefore" | "members" | "readers">,
    outbox: Pick<Outbox, "act" | "of">,
    conversations: Pick<Conversations, "ensure">,
    people: People,
    clock: Pick<Clock, "now" | "uuid">,
  ) {
    this.#api = api;
    this.#outbox = outbox;
    this.#conversations = conversations;
    this.#people = people;
    this.#clock = clock;
  }

  /** Makes a group of oneself and `people`, as soon as that can be. Returns its id. */
  create(name: string, people: readonly Person[]): ConvID {
    const id = `group_${this.#clock.uuid()}`;
    for (const person of people) this.#people.learn(person);
    this.#conversations.ensure(id).name = name;
    const text = JSON.stringify(people.map((person) => person.uid));
    void this.#outbox.act(id, "create", { text, name });
    return id;
  }

  /** Finds out who of `uids` did not come in when the group `id` was made: they are asked first. */
  async askAfter(id: ConvID, uids: readonly Uid[]): Promise<void> {
    if (uids.length === 0) return;
    try {
      const { items } = await this.#api.eventsBefore(id, CREATION + 1, 1);
      this.#conversations.ensure(id).wanted(uids, items[0]);
    } catch {
      // who is in is seen in the group's details all the same
    }
  }

  add(conversation: Conversation, people: readonly Person[]): void {
    for (const person of people) this.#people.learn(person);
    const text = JSON.stringify(people.map((person) => person.uid));
    void this.#outbox.act(conversation.id, "refer", { text });
  }

  leave({ id }: Conversation): void {
    void this.#outbox.act(id, "depart", {});
  }

  change({ id }: Conversation, change: GroupChange): void {
    void this.#outbox.act(id, "group", { text: JSON.stringify(change) });
  }

  /** The rules as they will be once what waits to be sent, and is not refused, is in the log. */
  settings({ id, roster }: Conversation): GroupSettings {
    return this.#outbox
      .of(id)
      .filter(({ kind, refusal }) => kind === "group" && refusal === undefined)
      .map(({ text }) => groupChangeOf({ Body: text }))
      .reduce(settingsAfter, roster.settings);
  }

  changeRole({ id }: Conversation, change: RoleChange): void {
    void this.#outbox.act(id, "role", { text: JSON.stringify(change) });
  }

  remove({ id }: Conversation, uid: Uid): void {
    void this.#outbox.act(id, "remove", { text: JSON.stringify([uid]) });
  }

  /** Nobody writes there any more. */
  close({ id }: Conversation): void {
    void this.#outbox.act(id, "close", {});
  }

  /** Finds out who is in, unless that is known. */
  async load(conversation: Conversation): Promise<void> {
    const { id, roster } = conversation;
    const idle = roster.state === "unknown" || roster.state === "failed";
    if (!idle || !isGroup(id) || !conversation.begun || conversation.left) return;
    roster.state = "loading";
    try {
      let changes: number;
      do {
        changes = roster.changes;
        const asOf = conversation.heard;
        const [details, page] = await Promise.all([
          this.#api.conversation(id),
          this.#api.members(id, ""),
        ]);
        this.#learn(page.items);
        roster.begin(details, page, asOf);
        roster.namedAt = this.#clock.now();
      } while (changes !== roster.changes);
    } catch {
      roster.state = "failed";
    }
  }

  /** Asks what members are called, those of the first page, unless that was done since `oldest`, in ms. */
  async freshen({ id, left, roster }: Conversation, oldest: number): Promise<void> {
    if (left || roster.state !== "known" || roster.namedAt >= oldest) return;
    roster.namedAt = this.#clock.now();
    const page = await this.#api.members(id, "").catch(() => null); // the names that are known stay
    this.#learn(page?.items ?? []);
  }

  /** The next page of a large group's members. Rejects with a Failure. */
  async more({ id, roster }: Conversation): Promise<void> {
    const after = roster.next;
    if (after === null) return;
    const page = await this.#api.members(id, after);
    if (roster.next !== after) return;
    this.#learn(page.items);
    roster.take(page);
  }

  /** How far everybody has come who was in before the own message `seq`, and what they are called.
   * Rejects with a Failure. */
  async readers(id: ConvID, seq: Seq): Promise<Reader[]> {
    const readers: Reader[] = [];
    let after: Uid | null = "";
    while (after !== null) {
      const page = await this.#api.readers(id, seq, after);
      readers.push(...page.items);
      after = page.next;
    }
    await this.#name(id, readers).catch(() => {}); // then each is asked for alone
    return readers;
  }

  /** A page of members tells many names at once. */
  async #name(id: ConvID, people: readonly { uid: Uid }[]): Promise<void> {
    let after: Uid | null = "";
    while (after !== null && people.some(({ uid }) => !this.#people.knows(uid))) {
      const page: Page<Member> = await this.#api.members(id, after);
      this.#learn(page.items);
      after = page.next;
    }
  }

  #learn(people: readonly Person[]): void {
    for (const person of people) this.#people.learn(person);
  }
}
