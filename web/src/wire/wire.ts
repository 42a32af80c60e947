/** The wire's names and shapes as docs/protocol.md states them; nothing here knows the client. */

export type Uid = string;
export type ConvID = string;
export type Seq = number;

/** The server's limits of a user's id, and of the name of a person or a group. */
export const MAX_ID_CHARS = 64;
export const MAX_NAME_CHARS = 64;

/** A log entry, or an entry of a user's log, as the server sends it in a `chat` event. */
export interface Entry {
  EvtType: string;
  From: string;
  Originated: string;
  To: string;
  MsgID: string;
  Timestamp: number;
  Body: string;
  ConvID: ConvID;
  Seq: Seq;
  /** How many `message` entries up to and including this one; absent in user logs. */
  N?: number;
  /** When it was appended, in ms by the server's clock. */
  StoredAt: number;
  /** The `Seq` that an edit, delete, reaction or reply means. */
  Refers?: Seq;
  Edited?: Seq;
  Deleted?: Seq;
  Reactions?: Record<Uid, string>;
  Name?: string;
  /** Of the `depart` of an owner: who owns the group now. */
  Owner?: Uid;
}

/** What a client says that becomes an entry; of `refer` the entry is a `join`. */
export type Act =
  | "message"
  | "create"
  | "refer"
  | "depart"
  | "edit"
  | "delete"
  | "react"
  | "role"
  | "remove"
  | "group"
  | "close";

export type Role = "owner" | "admin" | "member";

/** The Body of a `role`, as JSON. A new owner takes the place of the old one, an admin then. */
export interface RoleChange {
  uid: Uid;
  role: Role;
}

/** What is true of a group. */
export interface GroupSettings {
  /** New members see what was before them. */
  history_open: boolean;
  /** Admins alone write. */
  announcements: boolean;
  /** Anybody finds it and may join. */
  public: boolean;
  /** It can be read and left, and nothing else. */
  closed: boolean;
}

/** The Body of a `group`, as JSON: what is true from now on. */
export interface GroupChange {
  name?: string;
  history_open?: boolean;
  announcements?: boolean;
  public?: boolean;
}

/** What the client sends in a `chat` event. Receipts carry `ConvID` and `Seq`. */
export interface Outgoing {
  EvtType: Act | "delivery" | "display";
  From: string;
  Originated: string;
  To: string;
  MsgID: string;
  /** Seconds by the client's clock. */
  Timestamp: number;
  Body: string;
  ConvID?: ConvID;
  Seq?: Seq;
  Refers?: Seq;
}

/** A `create`, with what the group is called. */
export interface Creation extends Outgoing {
  Name: string;
}

/** Where the log of a conversation stands for this session; not logged. */
export interface Skip {
  EvtType: "skip";
  ConvID: ConvID;
  Seq: Seq;
  N?: number;
  /** What was passed over can be fetched by REST. */
  more: boolean;
}

/** The user's own positions, moved by another device. `N`: the count of messages at `displayed`. */
export interface Position {
  EvtType: "position";
  ConvID: ConvID;
  delivered: Seq;
  displayed: Seq;
  N: number;
}

/** Another member's position moved. Of a pair `From` moved it, of a group `Originated`. */
export interface Receipt {
  EvtType: "delivery" | "display";
  From: string;
  Originated: string;
  To: string;
  ConvID: ConvID;
  Seq: Seq;
}

/** `Body`: JSON, members' `[uid, delivered, displayed]` or counts by `[Seq, delivered, displayed]`. */
export interface Receipts {
  EvtType: "receipts";
  ConvID: ConvID;
  Body: string;
}

export type ReceiptRow = [Uid | Seq, number, number];

/** The Body of a user log's `conversation` entry. */
export interface ConversationChange {
  Conv: ConvID;
  state: "added" | "left";
  Seq: Seq;
}

export interface JoinRequest {
  device: string;
  cursors: Record<ConvID, Seq>;
  more?: true;
  receipts?: ConvID[];
}

export type SyncRequest = Omit<JoinRequest, "device">;

export interface WireError {
  code: string;
  message: string;
  retry_after_ms?: number;
}

export type Ack =
  | {
      ok: true;
      MsgID?: string;
      ConvID?: ConvID;
      Seq?: Seq;
      N?: number;
      StoredAt?: number;
      /** Of a `join`: whose connection this is. */
      uid?: Uid;
      /** Of a `join`: the server's time, in ms. */
      time?: number;
    }
  | { ok: false; MsgID?: string; error: WireError };

export interface Page<T, Cursor = string> {
  items: T[];
  /** The next page's `before` or `after`, or null at the end. */
  next: Cursor | null;
}

export interface Person {
  uid: Uid;
  name: string;
}

export interface Profile extends Person {
  about: string;
  display_receipts: boolean;
  who_may_add_me: "everybody" | "shared";
}

export interface ProfileChange {
  name?: string;
  about?: string;
  display_receipts?: boolean;
  who_may_add_me?: "everybody" | "shared";
}

export interface ConversationItem {
  ConvID: ConvID;
  name: string;
  last: Entry | null;
  N: number;
  delivered: Seq;
  displayed: Seq;
  unread: number;
  left: boolean;
}

export interface ConversationDetails {
  ConvID: ConvID;
  name: string;
  /** How many there are; null where nobody says. */
  members: number | null;
  /** One's own, "" where one is no member. */
  role: string;
  /** null for a pair, and for a group that one has left. */
  group: GroupSettings | null;
}

export interface Member extends Person {
  role: string;
  /** The `Seq` of the entry that brought them in. */
  since: Seq;
}

/** How far a member has come; 0: not at all, or not to be known. */
export interface Reader {
  uid: Uid;
  delivered: Seq;
  displayed: Seq;
}

/** Somebody wants to add the user to a group. */
export interface Invitation {
  id: string;
  ConvID: ConvID;
  from: Uid;
  /** ms since 1970. */
  at: number;
}

/** The group one has come into; null if one has declined. */
export interface Entered {
  ConvID: ConvID | null;
  Seq: Seq | null;
}

/** A group that anybody may join. `members`: how many. */
export interface PublicGroup {
  ConvID: ConvID;
  name: string;
  members: number;
}

export interface InviteLink {
  id: string;
  /** ms since 1970. */
  expires_at: number;
}

/** A new link. `code`: told this once. */
export interface MadeLink extends InviteLink {
  code: string;
}

export interface LoginSession {
  id: string;
  current: boolean;
  /** ms since 1970. */
  created_at: number;
  last_used_at: number;
}

/** Whether trying the same again can help, by the error table of docs/protocol.md. */
export function isTransient(code: string): boolean {
  return code === "unavailable" || code === "rate_limited" || code === "internal";
}

export function isGroup(conv: string): boolean {
  return conv.startsWith("group_");
}

export function userLog(uid: Uid): ConvID {
  return `user:${uid}`;
}

export function pairConv(a: Uid, b: Uid): ConvID {
  return a <= b ? `dm:${a}:${b}` : `dm:${b}:${a}`;
}

/** The other person of a pair's conversation, oneself in notes to oneself, or null. */
export function otherOf(conv: ConvID, me: Uid): Uid | null {
  const [kind, a, b, ...rest] = conv.split(":");
  if (kind !== "dm" || !a || !b || rest.length > 0 || a > b) return null;
  if (a === me) return b;
  return b === me ? a : null;
}

/** What `me` says in `conv` is from and to. */
export function addressed(me: Uid, conv: ConvID): Pick<Outgoing, "From" | "Originated" | "To"> {
  if (isGroup(conv)) return { From: conv, Originated: me, To: conv };
  return { From: me, Originated: "", To: otherOf(conv, me) ?? "" };
}

/** What a Body says as JSON; null where it is none. */
export function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return null;
  }
}

/** Who caused an entry. */
export function authorOf(entry: { From: string; Originated: string }): Uid {
  return entry.Originated || entry.From;
}
