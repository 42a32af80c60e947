/** Keeps every log here complete and in order: joins, meets entries, finds gaps and has them filled. */

import { asFailure, Failure } from "../wire/failure.ts";
import {
  authorOf,
  type ConversationChange,
  type ConvID,
  type Entry,
  type Position,
  type ProfileChange,
  parsed,
  type Receipt,
  type ReceiptRow,
  type Receipts,
  type Seq,
  type Skip,
  userLog,
} from "../wire/wire.ts";
import type { Conversation } from "./conversation.svelte.ts";
import type { Conversations } from "./conversations.svelte.ts";
import type { Channel } from "./ports.ts";
import { isKnown } from "./timeline.ts";

export interface FeedSettings {
  device: string;
  /** Cursors a `join` or `sync` names at most. */
  cursorsPerPacket: number;
}

export interface FeedListener {
  /** `entry` is next in its log. */
  met(conversation: Conversation, entry: Entry): void;
  /** A cursor moved. */
  moved(log: ConvID, position: Seq): void;
  /** Somebody is asked into a group. */
  invited(): void;
  /** Another device changed what is known of oneself. */
  changed(change: ProfileChange): void;
  /** There is something new that only the list tells. */
  listOutdated(): void;
}

type Logless = Skip | Position | Receipt | Receipts;
type Incoming = Entry | Logless;

export class Feed {
  readonly #channel: Pick<Channel, "request" | "restart">;
  readonly #conversations: Conversations;
  readonly #listener: FeedListener;
  readonly #settings: FeedSettings;
  readonly #syncing = new Set<ConvID>();
  /** The cursor of the user's own log; null until it is known. */
  #ownPosition: Seq | null = null;
  #open: ConvID | null = null;
  /** Whose receipts were asked for. */
  #watched: ConvID | null = null;
  #joined = false;
  /** Entries of kinds that this client does not know. */
  unknown = 0;

  constructor(
    channel: Pick<Channel, "request" | "restart">,
    conversations: Conversations,
    listener: FeedListener,
    settings: FeedSettings,
  ) {
    this.#channel = channel;
    this.#conversations = conversations;
    this.#listener = listener;
    this.#settings = settings;
  }

  get #ownLog(): ConvID {
    return userLog(this.#conversations.me);
  }

  /** Begins the user's own log behind `position`. */
  begin(position: Seq): void {
    this.#ownPosition ??= position;
  }

  /** Asks for everything behind the cursors; resolves with the server's time, in ms. Rejects with a
   * Failure. */
  async join(): Promise<number> {
    this.#syncing.clear();
    const [first, ...further] = this.#cursorPackets();
    const { device } = this.#settings;
    this.#watched = this.#isKnown(this.#open) ? this.#open : null;
    const receipts = this.#watched === null ? [] : [this.#watched];
    const more = further.length > 0 && { more: true as const };
    const asked = [
      this.#channel.request("join", { device, cursors: first ?? {}, receipts, ...more }),
      ...further.map((cursors, at) =>
        this.#channel.request("sync", {
          cursors,
          ...(at < further.length - 1 && { more: true as const }),
        }),
      ),
    ];
    const [joined] = await Promise.all(asked);
    if (joined?.uid !== undefined && joined.uid !== this.#conversations.me) {
      throw new Failure("unauthenticated", "somebody else has logged in with this browser");
    }
    this.#joined = true;
    this.watch(this.#open);
    return joined?.time ?? 0;
  }

  disconnected(): void {
    this.#joined = false;
  }

  /** The conversation on the screen, whose receipts are wanted once it is known; null: none. */
  watch(id: ConvID | null): void {
    if (id !== this.#open) this.#watched = null;
    this.#open = id;
    if (!this.#joined || id === this.#watched || !this.#isKnown(id)) return;
    this.#watched = id;
    this.#channel.request("sync", { cursors: {}, receipts: [id] }).catch(() => {
      // the next join asks for them again
    });
  }

  /** Takes a `chat` event. What is no event of the contract is passed over. */
  handle(data: unknown): void {
    const event = data as Incoming;
    if (typeof event !== "object" || event === null || typeof event.ConvID !== "string") return;
    if (event.ConvID === this.#ownLog) this.#handleOwn(event);
    else if (isLogless(event)) this.#handleLogless(event);
    else if (isEntry(event)) this.accept(event);
  }

  /** Takes an entry of a conversation, also one that an ack told. */
  accept(entry: Entry): void {
    const conversation = this.#known(entry.ConvID);
    const wasLarge = conversation.roster.large;
    const accepted = conversation.accept(entry);
    if (accepted === "gap") this.#fill(entry.ConvID, conversation.position);
    if (accepted !== "next") return;
    if (!isKnown(entry)) this.unknown += 1;
    this.#listener.met(conversation, entry);
    this.#listener.moved(entry.ConvID, entry.Seq);
    if (wasLarge && !conversation.roster.large) this.#watchAnew(entry.ConvID);
  }

  /** Of a group that has grown so small everybody's place is told, of which only counts are here. */
  #watchAnew(id: ConvID): void {
    if (id !== this.#watched) return;
    this.#watched = null;
    this.watch(id);
  }

  /** An address may name anything: the server is asked of what is there. */
  #isKnown(id: ConvID | null): id is ConvID {
    return id !== null && this.#conversations.get(id) !== undefined;
  }

  #cursorPackets(): Record<ConvID, Seq>[] {
    const cursors: [ConvID, Seq][] = this.#conversations
      .all()
      .filter((conversation) => conversation.begun)
      .map((conversation) => [conversation.id, conversation.position]);
    if (this.#ownPosition !== null) cursors.unshift([this.#ownLog, this.#ownPosition]);
    const packets: Record<ConvID, Seq>[] = [];
    for (let at = 0; at < cursors.length; at += this.#settings.cursorsPerPacket) {
      packets.push(Object.fromEntries(cursors.slice(at, at + this.#settings.cursorsPerPacket)));
    }
    return packets;
  }

  #handleLogless(event: Logless): void {
    const conversation = this.#known(event.ConvID);
    if (event.EvtType === "skip") {
      if (event.Seq < conversation.position) this.#listener.listOutdated();
      conversation.skip(event);
      this.#listener.moved(event.ConvID, event.Seq);
    } else if (event.EvtType === "position") conversation.moveOwn(event);
    else if (event.EvtType === "receipts") conversation.takeReceipts(rowsOf(event));
    else conversation.moveOther(authorOf(event), event.EvtType, event.Seq);
  }

  #handleOwn(event: Incoming): void {
    if (event.EvtType === "skip") {
      this.#moveOwnLog(event.Seq);
      return;
    }
    if (isLogless(event)) return;
    const position = this.#ownPosition ?? event.Seq - 1;
    if (event.Seq <= position) return;
    if (event.Seq > position + 1) {
      this.#fill(this.#ownLog, position);
      return;
    }
    this.#moveOwnLog(event.Seq);
    if (event.EvtType === "conversation") this.#changed(event.Body);
    else if (event.EvtType === "invitation") this.#listener.invited();
    else if (event.EvtType === "setting") {
      this.#listener.changed((parsed(event.Body) ?? {}) as ProfileChange);
    }
  }

  #moveOwnLog(position: Seq): void {
    this.#ownPosition = position;
    this.#listener.moved(this.#ownLog, position);
  }

  /** The list is asked when what the user log tells is not known by the conversation's own log. */
  #changed(body: string): void {
    const change = parsed(body) as ConversationChange | null;
    if (!change) return;
    const known = this.#conversations.get(change.Conv);
    if (!known?.begun || known.position < change.Seq) this.#listener.listOutdated();
  }

  #known(id: ConvID): Conversation {
    const known = this.#conversations.get(id);
    if (known?.begun) return known;
    this.#listener.listOutdated();
    return this.#conversations.meet(id);
  }

  #fill(log: ConvID, position: Seq): void {
    if (this.#syncing.has(log)) return;
    this.#syncing.add(log);
    this.#channel
      .request("sync", { cursors: { [log]: position } })
      .catch((thrown) => this.#channel.restart(asFailure(thrown).retryAfterMs))
      .finally(() => this.#syncing.delete(log));
  }
}

function isLogless(event: Incoming): event is Logless {
  return ["skip", "position", "receipts", "delivery", "display"].includes(event.EvtType);
}

/** What is neither told of a log nor an entry: answers to other forms of clients, and passing things. */
const FLEETING = new Set(["notify", "restart", "typing", "presence"]);

function isEntry(event: Entry): boolean {
  return typeof event.Seq === "number" && !FLEETING.has(event.EvtType);
}

function rowsOf({ Body }: Receipts): ReceiptRow[] {
  const rows = parsed(Body);
  return Array.isArray(rows) ? rows : [];
}
