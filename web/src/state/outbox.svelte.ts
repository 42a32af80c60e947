/** Acts that have no ack yet: in order per conversation, kept over a reload, sent until acked. */

import { asFailure, Failure } from "../wire/failure.ts";
import {
  type Act,
  addressed,
  type ConvID,
  type Creation,
  type Outgoing,
  type Seq,
  type Uid,
} from "../wire/wire.ts";
import { type BackoffSettings, waitMs } from "./backoff.ts";
import type { Channel, Clock, OutboxStore, Pages, Pending, Sent } from "./ports.ts";
import { isMoot } from "./refusals.ts";

export interface OutboxSettings {
  backoff: BackoffSettings;
  /** After so many `internal` errors a message counts as refused. */
  internalTries: number;
  /** No server takes a longer text, in bytes of UTF-8: it is not even sent. What less it takes, it tells. */
  maxTextBytes: number;
}

export const OUTBOX_DEFAULTS: OutboxSettings = {
  backoff: { firstMs: 1_000, maxMs: 30_000 },
  internalTries: 5,
  maxTextBytes: 128 * 1024,
};

export interface OutboxListener {
  /** `act` is done, and has its place in the log if there was anything to do. */
  sent(act: Outgoing, ack: Sent): void;
  /** `items` of another page or of an earlier login wait here now. */
  found(items: readonly Pending[]): void;
  /** The server does not take messages from this connection (any more). */
  unauthenticated(): void;
}

/** The very same wherever nothing waits, so that what waits elsewhere is no news there. */
const NONE: readonly Pending[] = [];

/** How far the sending of one conversation has come. */
interface Lane {
  busy: boolean;
  tries: number;
  cancelRetry: (() => void) | null;
}

export class Outbox {
  /** Ascending in `order`. */
  items = $state.raw<readonly Pending[]>([]);
  readonly #me: Uid;
  readonly #channel: Pick<Channel, "request">;
  readonly #store: OutboxStore;
  readonly #pages: Pages;
  readonly #clock: Clock;
  readonly #listener: OutboxListener;
  readonly #settings: OutboxSettings;
  readonly #lanes = new Map<ConvID, Lane>();
  /** The pages whose end is waited for. */
  readonly #watched = new Set<string>();
  #live = false;
  #stopped = false;
  #lastOrder = 0;

  constructor(
    me: Uid,
    channel: Pick<Channel, "request">,
    store: OutboxStore,
    pages: Pages,
    clock: Clock,
    listener: OutboxListener,
    settings: OutboxSettings = OUTBOX_DEFAULTS,
  ) {
    this.#me = me;
    this.#channel = channel;
    this.#store = store;
    this.#pages = pages;
    this.#clock = clock;
    this.#listener = listener;
    this.#settings = settings;
  }

  /** Takes over what an earlier login of this page, and pages that are gone, have left behind. */
  async load(): Promise<void> {
    this.#pages.heed((owner) => this.#watch(owner));
    this.#store.whenLost(() => this.#keepAnew());
    const kept = await this.#store.all();
    this.#follow(kept);
    this.items = kept.filter((item) => item.owner === this.#pages.own);
    this.#listener.found(this.items);
    for (const { owner } of kept) this.#watch(owner);
  }

  /** What waits in `conv`. */
  of(conv: ConvID): readonly Pending[] {
    const waiting = this.items.filter((item) => item.conv === conv);
    return waiting.length > 0 ? waiting : NONE;
  }

  /** Sends `text` to `conv` as soon as that can be. `refers`: the `Seq` it replies to. */
  send(conv: ConvID, text: string, refers?: Seq): Promise<void> {
    return this.act(conv, "message", { text, ...(refers !== undefined && { refers }) });
  }

  /** Does something in `conv` as soon as that can be. `text`: the Body. */
  async act(
    conv: ConvID,
    kind: Act,
    { text = "", ...more }: Partial<Pick<Pending, "text" | "refers" | "name">>,
  ): Promise<void> {
    const item: Pending = {
      ...more,
      id: this.#clock.uuid(),
      conv,
      kind,
      text,
      at: this.#clock.now(),
      order: this.#nextOrder(),
      owner: this.#pages.own,
    };
    this.items = [...this.items, item];
    this.#pages.announce();
    await this.#keepAndPump(item);
  }

  /** Sends what was refused once more, as the same message. */
  async retry(id: string): Promise<void> {
    const item = this.items.find((each) => each.id === id);
    if (!item) return;
    const { refusal: _, code: __, ...again } = item;
    this.#replace(again);
    await this.#keepAndPump(again);
  }

  /** Forgets an act: it is in the log, or whose it is gives it up. */
  settle(id: string): void {
    if (!this.items.some((item) => item.id === id)) return;
    this.items = this.items.filter((item) => item.id !== id);
    this.#store.remove(id).catch(ignore);
  }

  /** Forgets all that waits here: whose it is gives it up. */
  giveUp(): void {
    for (const { id } of this.items) this.settle(id);
  }

  resume(): void {
    this.#live = true;
    for (const conv of new Set(this.items.map((item) => item.conv))) this.#pump(conv);
  }

  pause(): void {
    this.#live = false;
    for (const lane of this.#lanes.values()) {
      lane.cancelRetry?.();
      lane.cancelRetry = null;
      lane.tries = 0;
    }
  }

  /** Takes over nothing more of what other pages leave behind. */
  stop(): void {
    this.#stopped = true;
  }

  #watch(owner: string): void {
    if (owner === this.#pages.own || this.#watched.has(owner)) return;
    this.#watched.add(owner);
    this.#pages.whenGone(owner, () => this.#inherit(owner));
  }

  async #inherit(owner: string): Promise<void> {
    if (this.#stopped) return;
    const left = (await this.#store.all()).filter((item) => item.owner === owner);
    if (left.length === 0) return;
    this.#pages.announce();
    const own = left.map((item) => ({ ...item, owner: this.#pages.own }));
    await Promise.all(own.map((item) => this.#store.put(item)));
    this.#follow(own);
    this.items = [...this.items, ...own].sort((a, b) => a.order - b.order);
    this.#listener.found(own);
    if (this.#live) this.resume();
  }

  /** What is written from now on is behind `items`, also where the clock was set back meanwhile. */
  #follow(items: readonly Pending[]): void {
    this.#lastOrder = Math.max(this.#lastOrder, ...items.map(({ order }) => order));
  }

  #nextOrder(): number {
    this.#lastOrder = Math.max(this.#lastOrder + 1, this.#clock.now());
    return this.#lastOrder;
  }

  #lane(conv: ConvID): Lane {
    const lane = this.#lanes.get(conv) ?? { busy: false, tries: 0, cancelRetry: null };
    this.#lanes.set(conv, lane);
    return lane;
  }

  /** Sends the first act of `conv` that waits, unless one is under way. */
  #pump(conv: ConvID): void {
    const lane = this.#lane(conv);
    const item = this.items.find((each) => each.conv === conv && each.refusal === undefined);
    if (!this.#live || lane.busy || lane.cancelRetry || !item) return;
    lane.busy = true;
    void this.#deliver(item, lane).finally(() => {
      lane.busy = false;
      this.#pump(conv);
    });
  }

  async #deliver(item: Pending, lane: Lane): Promise<void> {
    try {
      const act = this.#message(item);
      const ack = await this.#channel.request("chat", act);
      lane.tries = 0;
      this.#listener.sent(act, ack);
      this.settle(item.id);
    } catch (thrown) {
      this.#failed(item, lane, asFailure(thrown));
    }
  }

  #failed(item: Pending, lane: Lane, failure: Failure): void {
    lane.tries += 1;
    if (failure.code === "unauthenticated") {
      this.pause();
      this.#listener.unauthenticated();
    } else if (this.#hopeless(failure, lane)) {
      lane.tries = 0;
      this.#refuse(item, failure);
    } else if (this.#live) this.#retryLater(item.conv, lane, failure);
  }

  #hopeless(failure: Failure, lane: Lane): boolean {
    if (!failure.transient) return true;
    return failure.code === "internal" && lane.tries >= this.#settings.internalTries;
  }

  #retryLater(conv: ConvID, lane: Lane, { retryAfterMs }: Failure): void {
    const { backoff } = this.#settings;
    const wait = waitMs(lane.tries - 1, retryAfterMs, this.#clock.random(), backoff);
    lane.cancelRetry = this.#clock.after(wait, () => {
      lane.cancelRetry = null;
      this.#pump(conv);
    });
  }

  #refuse(item: Pending, failure: Failure): void {
    if (isMoot(item, failure)) {
      this.settle(item.id);
      return;
    }
    const refused = { ...item, refusal: failure.message || failure.code, code: failure.code };
    this.#replace(refused);
    void this.#keep(refused);
  }

  #replace(item: Pending): void {
    this.items = this.items.map((each) => (each.id === item.id ? item : each));
  }

  /** A storage that takes long, or never answers, holds up nothing. It does things in their order: what
   * is acked by then is forgotten after it was kept. */
  async #keepAndPump(item: Pending): Promise<void> {
    const kept = this.#keep(item);
    this.#pump(item.conv);
    await kept;
  }

  /** Without storage a message is still sent: it only does not outlive the page. */
  async #keep(item: Pending): Promise<void> {
    await this.#store.put(item).catch(ignore);
  }

  #keepAnew(): void {
    for (const item of this.items) void this.#keep(item);
  }

  /** Throws a Failure where there is no use in sending. */
  #message({ conv, id, kind = "message", text, at, refers, name }: Pending): Outgoing | Creation {
    const bytes = new TextEncoder().encode(text).length;
    if (bytes > this.#maxBytes(kind)) throw new Failure("too_large", "the text is too long");
    return {
      EvtType: kind,
      ...addressed(this.#me, conv),
      MsgID: id,
      Timestamp: Math.floor(at / 1000),
      Body: text,
      ...(refers !== undefined && { Refers: refers }),
      ...(name !== undefined && { Name: name }),
    };
  }

  /** Lists of people have a limit of their own, which is the server's to tell. */
  #maxBytes(kind: Act): number {
    const isText = kind === "message" || kind === "edit";
    return isText ? this.#settings.maxTextBytes : Number.POSITIVE_INFINITY;
  }
}

function ignore(): void {}
