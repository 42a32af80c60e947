/** A world made by hand for the tests of the state: time, channel, REST and storage obey the test. */

import { MemoryLogs, MemoryOutbox } from "../src/db/memory.ts";
import { Drafts } from "../src/state/drafts.svelte.ts";
import type {
  Api,
  Channel,
  ChannelListener,
  ChannelRequests,
  Clock,
  Pages,
  Sent,
} from "../src/state/ports.ts";
import { Failure, UNREACHABLE } from "../src/wire/failure.ts";
import type {
  ConversationDetails,
  ConversationItem,
  Entered,
  Entry,
  GroupSettings,
  Invitation,
  InviteLink,
  LoginSession,
  MadeLink,
  Member,
  Page,
  Person,
  Profile,
  PublicGroup,
  Reader,
} from "../src/wire/wire.ts";
import { FakeNotifier } from "./browser.ts";

/** Lets everything that waits for a promise go on. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 30; turn += 1) await Promise.resolve();
}

export class ManualClock implements Clock {
  #now = 1_700_000_000_000;
  #uuids = 0;
  readonly #timers: { at: number; act: () => void }[] = [];

  /** By how much the time of day was set forward, in ms. */
  set = 0;

  now(): number {
    return this.#now + this.set;
  }

  after(ms: number, act: () => void): () => void {
    const timer = { at: this.#now + ms, act };
    this.#timers.push(timer);
    return () => {
      const at = this.#timers.indexOf(timer);
      if (at >= 0) this.#timers.splice(at, 1);
    };
  }

  soon(act: () => void): void {
    this.after(0, act);
  }

  random(): number {
    return 0;
  }

  uuid(): string {
    this.#uuids += 1;
    return `msg-${this.#uuids}`;
  }

  /** Moves time on, running what is due in order. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (let next = this.#due(end); next; next = this.#due(end)) {
      this.#timers.splice(this.#timers.indexOf(next), 1);
      this.#now = Math.max(this.#now, next.at);
      next.act();
      await settle();
    }
    this.#now = end;
  }

  #due(end: number) {
    return this.#timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
  }
}

export interface Request<Name extends keyof ChannelRequests = keyof ChannelRequests> {
  name: Name;
  body: ChannelRequests[Name];
  ok(ack?: Partial<Sent>): void;
  fail(failure: Failure): void;
}

/** Requests wait until the test answers them; `join` and `sync` are answered at once. */
export class FakeChannel implements Channel {
  listener: ChannelListener | null = null;
  readonly requests: Request[] = [];
  readonly restarts: (number | undefined)[] = [];
  connected = false;
  /** What a join is told the time is, in ms. */
  time = 0;

  open(listener: ChannelListener): void {
    this.listener = listener;
  }

  close(): void {
    this.listener = null;
  }

  restart(delayMs?: number): void {
    this.restarts.push(delayMs);
  }

  request<Name extends keyof ChannelRequests>(
    name: Name,
    body: ChannelRequests[Name],
  ): Promise<Sent> {
    if (!this.connected) return Promise.reject(new Failure(UNREACHABLE, "not connected"));
    return new Promise((resolve, reject) => {
      const ok = (ack: Partial<Sent> = {}) => resolve({ ...ack, ok: true });
      this.requests.push({ name, body, ok, fail: reject });
      if (name !== "chat") ok(name === "join" ? { time: this.time } : {});
    });
  }

  async connect(): Promise<void> {
    this.connected = true;
    this.listener?.connected();
    await settle();
  }

  async lose(): Promise<void> {
    this.connected = false;
    for (const request of this.requests) request.fail(new Failure(UNREACHABLE, "lost"));
    this.listener?.disconnected();
    await settle();
  }

  tell(event: object): void {
    this.listener?.chat(event);
  }

  bodies<Name extends keyof ChannelRequests>(name: Name): ChannelRequests[Name][] {
    return this.requests
      .filter((request) => request.name === name)
      .map((request) => request.body as ChannelRequests[Name]);
  }

  /** What was sent as `chat` of that kind. */
  chats(kind: string): Request<"chat">[] {
    return this.requests.filter(
      (request): request is Request<"chat"> =>
        request.name === "chat" && "EvtType" in request.body && request.body.EvtType === kind,
    );
  }
}

export class FakeApi implements Api {
  people = new Map<string, Person>();
  list: ConversationItem[] = [];
  logs = new Map<string, Entry[]>();
  /** Members of groups, by uid. */
  groups = new Map<string, Member[]>();
  memberLimit = 200;
  positions: Reader[] = [];
  settings: GroupSettings | null = null;
  waiting: Invitation[] = [];
  /** What the next call fails with. */
  failure: Failure | null = null;
  profile: Profile = {
    uid: "ann",
    name: "Ann",
    about: "",
    display_receipts: true,
    who_may_add_me: "everybody",
  };
  listCalls = 0;

  async register(uid: string, name: string): Promise<Person> {
    this.#check();
    return { uid, name };
  }

  async login(uid: string): Promise<Person> {
    this.#check();
    return { uid, name: uid };
  }

  async logout(): Promise<void> {
    this.#check();
  }

  async me(): Promise<Profile> {
    this.#check();
    return this.profile;
  }

  async changeMe(change: Partial<Profile>): Promise<Profile> {
    this.#check();
    this.profile = { ...this.profile, ...change };
    return this.profile;
  }

  async changePassword(): Promise<void> {
    this.#check();
  }

  async sessions(): Promise<LoginSession[]> {
    return [];
  }

  async endSession(): Promise<void> {}

  async findPeople(): Promise<Person[]> {
    return [...this.people.values()];
  }

  async person(uid: string): Promise<Person> {
    this.#check();
    const person = this.people.get(uid);
    if (!person) throw new Failure("not_found", "no such user");
    return person;
  }

  async conversations(): Promise<Page<ConversationItem>> {
    this.listCalls += 1;
    this.#check();
    return { items: this.list, next: null };
  }

  async conversation(id: string): Promise<ConversationDetails> {
    const members = this.groups.get(id);
    if (!members) throw new Failure("not_a_member", `not in ${id}`);
    const role = members.find(({ uid }) => uid === this.profile.uid)?.role ?? "";
    return { ConvID: id, name: "", members: members.length, role, group: this.settings };
  }

  async eventsBefore(id: string, before: number, limit: number): Promise<Page<Entry, number>> {
    this.#check();
    const older = (this.logs.get(id) ?? []).filter((entry) => entry.Seq < before);
    const items = older.slice(-limit);
    return { items, next: items.length < older.length ? (items[0]?.Seq ?? null) : null };
  }

  async eventsAfter(id: string, after: number, limit: number): Promise<Page<Entry, number>> {
    this.#check();
    const newer = (this.logs.get(id) ?? []).filter((entry) => entry.Seq > after);
    const items = newer.slice(0, limit);
    return { items, next: items.length < newer.length ? (items.at(-1)?.Seq ?? null) : null };
  }

  async members(id: string, after: string): Promise<Page<Member>> {
    this.#check();
    const all = this.groups.get(id) ?? [];
    const items = all.filter(({ uid }) => uid > after).slice(0, this.memberLimit);
    const last = items.at(-1)?.uid ?? null;
    return { items, next: last === all.at(-1)?.uid ? null : last };
  }

  async readers(_id: string, _seq: number, after: string): Promise<Page<Reader>> {
    this.#check();
    const [reader, ...more] = this.positions.filter(({ uid }) => uid > after);
    return { items: reader ? [reader] : [], next: more.length > 0 && reader ? reader.uid : null };
  }

  async invitations(): Promise<Invitation[]> {
    this.#check();
    return this.waiting;
  }

  async answerInvitation(id: string, accept: boolean): Promise<Entered> {
    this.#check();
    const answered = this.waiting.find((invitation) => invitation.id === id);
    this.waiting = this.waiting.filter((invitation) => invitation.id !== id);
    return { ConvID: (accept && answered?.ConvID) || null, Seq: accept ? 1 : null };
  }

  async inviteLinks(): Promise<InviteLink[]> {
    return [];
  }

  async makeInviteLink(): Promise<MadeLink> {
    return { id: "link", code: "code", expires_at: 0 };
  }

  async revokeInviteLink(): Promise<void> {}

  async enterByLink(): Promise<Entered> {
    throw new Failure("not_found", "no such link");
  }

  async publicGroups(): Promise<PublicGroup[]> {
    return [];
  }

  async enterPublic(id: string): Promise<Entered> {
    return { ConvID: id, Seq: 1 };
  }

  #check(): void {
    const failure = this.failure;
    this.failure = null;
    if (failure) throw failure;
  }
}

/** Pages of one browser: `close` ends one, and what waits for that runs. */
export class FakeBrowser {
  readonly #waiting = new Map<string, (() => Promise<void>)[]>();
  readonly #closed = new Set<string>();
  readonly #heeding = new Map<string, (owner: string) => void>();

  page(own: string): Pages {
    return {
      own,
      announce: () => {
        for (const [page, act] of this.#heeding) if (page !== own) act(own);
      },
      heed: (act) => void this.#heeding.set(own, act),
      whenGone: (owner, act) => {
        if (this.#closed.has(owner)) void act();
        else this.#waiting.set(owner, [...(this.#waiting.get(owner) ?? []), act]);
      },
    };
  }

  async close(owner: string): Promise<void> {
    this.#closed.add(owner);
    this.#heeding.delete(owner);
    for (const act of this.#waiting.get(owner) ?? []) await act();
    await settle();
  }
}

export function world(parts: { page?: Pages; outbox?: MemoryOutbox; logs?: MemoryLogs } = {}) {
  return {
    api: new FakeApi(),
    channel: new FakeChannel(),
    clock: new ManualClock(),
    pages: parts.page ?? new FakeBrowser().page("page-1"),
    outbox: parts.outbox ?? new MemoryOutbox(),
    logs: parts.logs ?? new MemoryLogs(),
    drafts: new Drafts("ann", null),
    notifier: new FakeNotifier(),
    device: "device-1",
  };
}

/** An entry of the conversation of ann and bob, a message of bob's unless told. */
export function entry(seq: number, parts: Partial<Entry> = {}): Entry {
  const from = parts.From ?? "bob";
  return {
    EvtType: "message",
    From: from,
    Originated: "",
    To: from === "bob" ? "ann" : "bob",
    MsgID: `m${seq}`,
    Timestamp: 1_700_000_000 + seq,
    Body: `text ${seq}`,
    ConvID: "dm:ann:bob",
    Seq: seq,
    N: seq,
    StoredAt: 1_700_000_000_000 + seq * 1000,
    ...parts,
  };
}

export function item(last: Entry, parts: Partial<ConversationItem> = {}): ConversationItem {
  return {
    ConvID: last.ConvID,
    name: "Bob",
    last,
    N: last.N ?? 0,
    delivered: last.Seq,
    displayed: last.Seq,
    unread: 0,
    left: false,
    ...parts,
  };
}
