/** Everything a logged-in user's page holds, put together and kept alive. */

import { asFailure } from "../wire/failure.ts";
import {
  authorOf,
  type ConvID,
  type Entry,
  type Outgoing,
  type ProfileChange,
  type Seq,
  type Uid,
  userLog,
} from "../wire/wire.ts";
import { waitMs } from "./backoff.ts";
import { Connection } from "./connection.svelte.ts";
import type { Conversation } from "./conversation.svelte.ts";
import { Conversations } from "./conversations.svelte.ts";
import type { Drafts } from "./drafts.svelte.ts";
import { Feed } from "./feed.ts";
import { Groups } from "./groups.ts";
import { Invitations } from "./invitations.svelte.ts";
import type { Notifier } from "./notifier.svelte.ts";
import { Outbox } from "./outbox.svelte.ts";
import { People } from "./people.svelte.ts";
import type { Api, Channel, Clock, LogStore, OutboxStore, Pages, Pending, Sent } from "./ports.ts";
import { ReceiptSender } from "./receipts.ts";
import { uidsOf } from "./timeline.ts";
import { previewText } from "./wording.ts";

/** What the browser gives to one user's page. */
export interface World {
  api: Api;
  channel: Channel;
  clock: Clock;
  pages: Pages;
  outbox: OutboxStore;
  logs: LogStore;
  drafts: Drafts;
  notifier: Pick<Notifier, "tell">;
  device: string;
}

/** What a user's page tells of its user. */
export interface ClientOwner {
  /** The server does not know the user here any more. */
  loggedOut(): void;
  /** The user changed something of themselves elsewhere. */
  changed(change: ProfileChange): void;
}

export interface ClientSettings {
  /** News of the list are gathered so long before it is fetched again. */
  listDelayMs: number;
  /** Cursors are kept at most this often. */
  keepDelayMs: number;
  /** A message waits so long for its author's name, and to be read elsewhere, before it is told of. */
  tellDelayMs: number;
  cursorsPerPacket: number;
  /** What people are called is asked for again, when somebody looks, after so long. */
  namesAgeMs: number;
  retry: { firstMs: number; maxMs: number };
}

export const CLIENT_DEFAULTS: ClientSettings = {
  listDelayMs: 100,
  keepDelayMs: 500,
  tellDelayMs: 500,
  cursorsPerPacket: 1000,
  namesAgeMs: 300_000,
  retry: { firstMs: 500, maxMs: 10_000 },
};

/** What the page shows of a conversation's address. */
export type Shown =
  | { state: "none" | "loading" | "missing" | "failed" }
  | { state: "ready"; conversation: Conversation };

export class Client {
  readonly me: string;
  readonly people: People;
  readonly conversations: Conversations;
  readonly connection: Connection;
  readonly outbox: Outbox;
  readonly groups: Groups;
  readonly invitations: Invitations;
  readonly drafts: Drafts;
  shown = $state.raw<Shown>({ state: "none" });
  readonly #world: World;
  readonly #settings: ClientSettings;
  readonly #feed: Feed;
  readonly #receipts: ReceiptSender;
  readonly #owner: ClientOwner;
  readonly #dirty = new Map<ConvID, Seq>();
  readonly #timers = new Map<string, () => void>();
  #wanted: ConvID | null = null;
  #listTries = 0;
  /** When the list was fetched, in ms. */
  #listedAt = 0;
  /** How often the page has begun to join, and of which of these joins the list is that is here. */
  #joins = 0;
  #listedOf = 0;
  /** What waits for the list to be fetched. */
  readonly #untilListed: (() => void)[] = [];
  #connected = false;
  #stopped = false;

  constructor(
    me: string,
    world: World,
    owner: ClientOwner,
    settings: ClientSettings = CLIENT_DEFAULTS,
  ) {
    const { api, channel, clock } = world;
    this.me = me;
    this.#world = world;
    this.#settings = settings;
    this.#owner = owner;
    this.drafts = world.drafts;
    this.people = new People(api, clock);
    this.connection = new Connection(clock);
    this.conversations = new Conversations(me, api, this.people, clock);
    this.#receipts = new ReceiptSender(channel, clock);
    this.#feed = new Feed(
      channel,
      this.conversations,
      {
        met: (conversation, entry) => this.#met(conversation, entry),
        moved: (log, position) => this.#moved(log, position),
        invited: () => void this.invitations.load(),
        changed: (change) => owner.changed(change),
        listOutdated: () => this.#listSoon(settings.listDelayMs),
      },
      { device: world.device, cursorsPerPacket: settings.cursorsPerPacket },
    );
    this.outbox = new Outbox(me, channel, world.outbox, world.pages, clock, {
      sent: (act, ack) => this.#sent(act, ack),
      found: (items) => this.#found(items),
      unauthenticated: () => channel.restart(),
    });
    this.invitations = new Invitations(api);
    this.groups = new Groups(api, this.outbox, this.conversations, this.people, clock);
  }

  get #onScreen(): Conversation | null {
    return this.shown.state === "ready" ? this.shown.conversation : null;
  }

  async start(): Promise<void> {
    const kept = await this.#world.logs.all().catch(() => []);
    this.conversations.remember(kept);
    const own = kept.find((log) => log.ConvID === userLog(this.me));
    if (own) this.#feed.begin(own.position);
    await this.outbox.load().catch(() => {});
    if (this.#stopped) return;
    this.#listSoon(0);
    this.#world.channel.open({
      connected: () => {
        this.#connected = true;
        void this.#join();
      },
      disconnected: () => this.#disconnected(),
      failed: () => this.connection.offline(),
      silent: () => this.connection.silent(),
      heard: () => this.connection.heard(),
      unauthenticated: () => this.#owner.loggedOut(),
      chat: (event) => this.#feed.handle(event),
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#pause();
    this.outbox.stop();
    this.#world.channel.close();
    for (const cancel of this.#timers.values()) cancel();
  }

  /** Shows the conversation with this id, or none. */
  async show(id: ConvID | null): Promise<void> {
    if (id === this.#wanted && this.shown.state !== "failed") return;
    if (this.#onScreen) this.conversations.leave(this.#onScreen);
    this.#wanted = id;
    this.shown = { state: id === null ? "none" : "loading" };
    this.#feed.watch(id);
    if (id !== null) await this.#find(id);
  }

  /** Somebody comes to look: of new names nothing tells, so they are asked for now and then. The list
   * has those of pairs, a group's members most of the rest; who is in neither is asked for alone. What
   * nobody could answer is asked for again after them. */
  freshen(): void {
    if (!this.#connected || !this.conversations.loaded) return;
    const oldest = this.#world.clock.now() - this.#settings.namesAgeMs;
    const list = this.#listedAt < oldest && this.#listed();
    if (list) this.#listSoon(0);
    const members = this.#onScreen && this.groups.freshen(this.#onScreen, oldest);
    void Promise.all([list, members]).then(() => {
      this.people.freshen(oldest);
      this.people.resume();
      this.conversations.quoteAgain();
    });
  }

  /** Resolves when the next list is here. */
  #listed(): Promise<void> {
    return new Promise<void>((resolve) => this.#untilListed.push(resolve));
  }

  /** Everything up to `seq` is on the screen, and somebody looks. */
  seen(conversation: Conversation, seq: Seq): void {
    this.#receipts.seen(conversation, seq);
  }

  /** Before the list is here nothing tells a conversation of one's own from one that is not. */
  async #find(id: ConvID): Promise<void> {
    if (!this.conversations.loaded && !this.conversations.get(id)) return;
    const found = await this.conversations.find(id).catch(() => "failed" as const);
    if (id !== this.#wanted) return;
    const conversation = this.conversations.get(id);
    if (!conversation || found !== true) {
      this.shown = { state: found === "failed" ? "failed" : "missing" };
      return;
    }
    this.shown = { state: "ready", conversation };
    this.#feed.watch(id);
    // Its members tell most names: they are not asked for one by one meanwhile.
    void this.groups.load(conversation).then(() => this.freshen());
    await this.conversations.open(conversation);
  }

  /** The ack takes the entry's place; of a `refer` the entry has come before it. */
  #sent(act: Outgoing, ack: Sent): void {
    if (act.EvtType === "refer") {
      const conversation = this.conversations.get(act.To);
      conversation?.wanted(uidsOf(act), conversation.at(ack.Seq));
    } else if (ack.Seq !== undefined) {
      this.#feed.accept({ ...act, ...ack } as unknown as Entry);
    }
    if (act.EvtType === "create") void this.groups.askAfter(act.To, uidsOf(act));
  }

  /** What waits to be sent is seen in its conversation, also in one that is not there yet. */
  #found(items: readonly Pending[]): void {
    for (const { conv, name } of items) {
      const conversation = this.conversations.ensure(conv);
      if (name && !conversation.begun) conversation.name = name;
    }
  }

  async #join(): Promise<void> {
    if (!this.#connected || !this.conversations.loaded) return;
    this.#joins += 1;
    let since: number;
    try {
      since = await this.#feed.join();
    } catch (thrown) {
      const failure = asFailure(thrown);
      if (failure.code === "unauthenticated") this.#owner.loggedOut();
      else this.#world.channel.restart(failure.retryAfterMs);
      return;
    }
    if (!this.#connected) return;
    this.connection.online(since);
    this.outbox.resume();
    this.#receipts.resume();
    this.people.resume();
    this.conversations.resume();
    this.#listSoon(this.#settings.listDelayMs);
    void this.invitations.load();
    if (this.#onScreen) void this.groups.load(this.#onScreen);
  }

  #disconnected(): void {
    this.#connected = false;
    this.connection.connecting();
    this.#pause();
  }

  #pause(): void {
    this.#feed.disconnected();
    this.outbox.pause();
    this.#receipts.pause();
  }

  #met(conversation: Conversation, entry: Entry): void {
    const own = authorOf(entry) === this.me;
    if (own) this.outbox.settle(entry.MsgID);
    else if (entry.EvtType === "message") {
      this.#receipts.arrived(conversation, entry.Seq);
      this.people.name(authorOf(entry)); // asks for it, where it is not known
      void this.#tellSoon(conversation);
    }
    if (conversation === this.#onScreen) this.conversations.boundOpen(conversation);
    else this.conversations.bound(conversation);
  }

  /** Outside the page, of the newest message that is not read by then. What was read elsewhere while
   * this page was away only the list tells, which is fetched with each join. */
  async #tellSoon(conversation: Conversation): Promise<void> {
    const { id } = conversation;
    const nameOf = (uid: Uid) => this.people.name(uid);
    for (const join = this.#joins; this.#listedOf < join; ) await this.#listed();
    this.#later(`tell ${id}`, this.#settings.tellDelayMs, () => {
      const news = conversation.newest.findLast((entry) => this.#isNews(entry));
      if (!news || news.Seq <= conversation.displayed) return;
      this.#world.notifier.tell(id, conversation.name, previewText(news, this.me, nameOf));
    });
  }

  #isNews(entry: Entry): boolean {
    const said = entry.EvtType === "message" && entry.Deleted === undefined;
    return said && authorOf(entry) !== this.me;
  }

  #moved(log: ConvID, position: Seq): void {
    if (this.#onScreen?.id === log) void this.groups.load(this.#onScreen);
    this.#dirty.set(log, position);
    this.#later("keep", this.#settings.keepDelayMs, () => this.#keep());
  }

  #keep(): void {
    for (const [log, position] of this.#dirty) {
      const conversation = this.conversations.get(log);
      const kept = conversation
        ? this.conversations.keepable(conversation)
        : { ConvID: log, position, entries: [] };
      this.#world.logs.put(kept).catch(() => {}); // costs a fetch after the next reload
    }
    this.#dirty.clear();
  }

  #listSoon(delayMs: number): void {
    this.#later("list", delayMs, () => void this.#loadList());
  }

  async #loadList(): Promise<void> {
    const first = !this.conversations.loaded;
    const joins = this.#joins;
    try {
      const met = await this.conversations.load();
      this.#listedOf = joins;
      this.#listTries = 0;
      this.#listedAt = this.#world.clock.now();
      if (this.#stopped) return;
      for (const resolve of this.#untilListed.splice(0)) resolve();
      for (const conversation of met) this.#confirmListed(conversation);
    } catch (thrown) {
      this.#listFailed(asFailure(thrown));
      return;
    }
    if (first) {
      void this.#join();
      this.#findWritten();
    }
    if (this.#wanted !== null && this.shown.state !== "ready") await this.#find(this.#wanted);
  }

  /** Where something was written and nothing said, there is nothing else to tell of it. */
  #findWritten(): void {
    for (const conv of this.drafts.written()) {
      this.conversations.find(conv).catch(() => {}); // the draft is kept for another page
    }
  }

  /** What the list shows has arrived here, though not over the channel. */
  #confirmListed(conversation: Conversation): void {
    if (conversation.unsure) {
      conversation.unsure = false;
      this.#moved(conversation.id, conversation.position); // what was kept is forgotten, too
    }
    const last = conversation.last;
    if (last && conversation.unread > 0) this.#receipts.arrived(conversation, last.Seq);
  }

  #listFailed(failure: { code: string; retryAfterMs: number | undefined }): void {
    if (this.#stopped) return;
    if (failure.code === "unauthenticated") {
      this.#owner.loggedOut();
      return;
    }
    const { clock } = this.#world;
    const { retry } = this.#settings;
    this.#listSoon(waitMs(this.#listTries, failure.retryAfterMs, clock.random(), retry));
    this.#listTries += 1;
  }

  /** Runs `act` once after `ms`, however often it is asked for meanwhile. */
  #later(name: string, ms: number, act: () => void): void {
    if (this.#stopped || this.#timers.has(name)) return;
    this.#timers.set(
      name,
      this.#world.clock.after(ms, () => {
        this.#timers.delete(name);
        act();
      }),
    );
  }
}
