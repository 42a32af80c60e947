/** What the state needs of the world: REST, the channel, the browser's database, time. */

import type {
  Ack,
  Act,
  ConversationDetails,
  ConversationItem,
  ConvID,
  Entered,
  Entry,
  Invitation,
  InviteLink,
  JoinRequest,
  LoginSession,
  MadeLink,
  Member,
  Outgoing,
  Page,
  Person,
  Profile,
  ProfileChange,
  PublicGroup,
  Reader,
  Seq,
  SyncRequest,
  Uid,
} from "../wire/wire.ts";

/** The REST API. Every method rejects with a Failure. */
export interface Api {
  register(uid: Uid, name: string, password: string): Promise<Person>;
  login(uid: Uid, password: string): Promise<Person>;
  logout(): Promise<void>;
  me(): Promise<Profile>;
  changeMe(change: ProfileChange): Promise<Profile>;
  changePassword(old: string, next: string): Promise<void>;
  sessions(): Promise<LoginSession[]>;
  endSession(id: string): Promise<void>;
  findPeople(query: string): Promise<Person[]>;
  person(uid: Uid): Promise<Person>;
  conversations(before: string | null): Promise<Page<ConversationItem>>;
  conversation(id: ConvID): Promise<ConversationDetails>;
  /** Up to `limit` entries before `before`, ascending; `next` is null when nothing is older. */
  eventsBefore(id: ConvID, before: Seq, limit: number): Promise<Page<Entry, Seq>>;
  /** Up to `limit` entries after `after`, ascending; `next` is null when nothing is newer. */
  eventsAfter(id: ConvID, after: Seq, limit: number): Promise<Page<Entry, Seq>>;
  /** The present members by uid, from behind `after` on. */
  members(id: ConvID, after: Uid): Promise<Page<Member>>;
  /** How far each has come who was in before the entry `seq`, but its author. */
  readers(id: ConvID, seq: Seq, after: Uid): Promise<Page<Reader>>;
  invitations(): Promise<Invitation[]>;
  answerInvitation(id: string, accept: boolean): Promise<Entered>;
  inviteLinks(id: ConvID): Promise<InviteLink[]>;
  makeInviteLink(id: ConvID, expiresInS: number): Promise<MadeLink>;
  revokeInviteLink(id: ConvID, link: string): Promise<void>;
  enterByLink(code: string): Promise<Entered>;
  publicGroups(query: string): Promise<PublicGroup[]>;
  enterPublic(id: ConvID): Promise<Entered>;
}

/** What a channel tells. It keeps trying by itself until it is closed. */
export interface ChannelListener {
  connected(): void;
  /** An open connection was lost. */
  disconnected(): void;
  /** A try to connect did not succeed. */
  failed(): void;
  /** An answer is late on a connection that counts as open. */
  silent(): void;
  /** The other end was heard again. */
  heard(): void;
  /** The server does not know who this is, or ended the session: there is no use in trying on. */
  unauthenticated(): void;
  chat(event: unknown): void;
}

export interface ChannelRequests {
  join: JoinRequest;
  sync: SyncRequest;
  chat: Outgoing;
}

/** The one connection of this page. */
export interface Channel {
  open(listener: ChannelListener): void;
  close(): void;
  /** Connect anew after `delayMs`, or when it is this channel's time to. */
  restart(delayMs?: number): void;
  /** Resolves with the ack when it is ok, rejects with a Failure otherwise. */
  request<Name extends keyof ChannelRequests>(
    name: Name,
    body: ChannelRequests[Name],
  ): Promise<Sent>;
}

/** An act that has no ack yet. `order` ascends as they were done; `at`: ms. */
export interface Pending {
  /** Its MsgID, for ever. */
  id: string;
  conv: ConvID;
  /** A message unless told. */
  kind?: Act;
  /** The Body. */
  text: string;
  /** The `Seq` that it means. */
  refers?: Seq;
  /** Of a `create`: what the group is called. */
  name?: string;
  at: number;
  order: number;
  /** The page that sends it. */
  owner: string;
  /** Why it was refused for good: in the server's words, and its code. */
  refusal?: string;
  code?: string;
}

/** Keeps what waits to be sent over a reload; does things in the order in which it is asked to. */
export interface OutboxStore {
  all(): Promise<Pending[]>;
  put(item: Pending): Promise<void>;
  remove(id: string): Promise<void>;
  /** Calls `act` each time that the browser may have dropped what was kept, and keeps things again. */
  whenLost(act: () => void): void;
}

/** The newest entries of a log, up to and including its position. */
export interface KeptLog {
  ConvID: ConvID;
  position: Seq;
  entries: Entry[];
}

/** Keeps the cursors and the newest entries over a reload. */
export interface LogStore {
  all(): Promise<KeptLog[]>;
  put(log: KeptLog): Promise<void>;
  clear(): Promise<void>;
}

/** What this browser keeps when a page is closed, and nobody is to find who is not logged in. */
export interface Keepsakes {
  forgetLogs(uid: Uid): Promise<void>;
  forgetAllLogs(): Promise<void>;
  forgetDrafts(uid: Uid): void;
}

/** Tells pages of this browser from each other, and when another is gone. */
export interface Pages {
  /** This page's name, until it is closed. */
  readonly own: string;
  /** Tells the others that this one will have something to leave behind. */
  announce(): void;
  /** Calls `act`, and nobody who was called before, with each other page that announces itself. */
  heed(act: (owner: string) => void): void;
  /** Runs `act` once the page `owner` is gone; at most one page at a time. */
  whenGone(owner: string, act: () => Promise<void>): void;
}

/** The login of this browser, which all its pages share. */
export interface Logins {
  /** Tells the other pages who has logged in with this one. */
  announce(uid: Uid): void;
  /** Calls `act` with whoever logs in with another page. */
  heed(act: (uid: Uid) => void): void;
}

/** Whether somebody looks, told from page to page of this browser. */
export interface Looks {
  /** Tells the other pages whether somebody looks at this one. */
  announce(present: boolean): void;
  /** Calls `act` with each other page that tells this of itself. */
  heed(act: (page: string, present: boolean) => void): void;
}

/** Timers and randomness, so that tests own them. */
export interface Clock {
  now(): number;
  after(ms: number, act: () => void): () => void;
  /** Runs `act` in a turn of its own, after what waits to be dealt with; nothing slows that down. */
  soon(act: () => void): void;
  random(): number;
  uuid(): string;
}

export type Sent = Extract<Ack, { ok: true }>;
