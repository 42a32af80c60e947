/** What the log shows, line by line: days, notices, messages, what waits. Pure. */

import type { Conversation } from "../state/conversation.svelte.ts";
import { sameDay } from "../state/dates.ts";
import type { Pending } from "../state/ports.ts";
import { isChange } from "../state/timeline.ts";
import { absenceText, excerpt, messageText, type NameOf, stateText } from "../state/wording.ts";
import { authorOf, type Entry, type Seq, type Uid } from "../wire/wire.ts";
import type { Shown } from "./Message.svelte";
import type { Quoted } from "./Quote.svelte";

/** `joined`: it follows another of the same author closely. */
export type Line =
  | { kind: "day"; key: string; at: number }
  | { kind: "new"; key: string }
  | { kind: "notice"; key: string; entry: Entry }
  | MessageLine
  | { kind: "act"; key: string; item: Pending };

/** A message of the log, or one that waits to be sent or was refused. */
export type MessageLine =
  | { kind: "message"; key: string; entry: Entry; joined: boolean }
  | { kind: "pending"; key: string; item: Pending; joined: boolean };

/** What a line is drawn with beside what it is of. */
export interface Scene {
  conversation: Conversation;
  nameOf: NameOf;
  /** The entry that a reply means, as far as it is known. */
  entryAt: (seq: Seq) => Entry | null | undefined;
}

/** Messages of one author within this time stand close together. */
const JOINED_MS = 5 * 60_000;

/** `entries` as lines. `newAfter`: where the line "New" goes, before the first of others after it. */
export function linesOf(entries: readonly Entry[], me: Uid, newAfter: Seq | null): Line[] {
  const lines: Line[] = [];
  const taken = new Set<string>();
  let before: Entry | null = null;
  let marked = newAfter === null;
  for (const entry of entries) {
    const fresh = !before || !sameDay(before.StoredAt, entry.StoredAt);
    if (fresh) lines.push({ kind: "day", key: `day-${entry.Seq}`, at: entry.StoredAt });
    if (!marked && isNews(entry, me, newAfter ?? 0)) {
      lines.push({ kind: "new", key: "new" });
      marked = true;
    }
    lines.push(lineOf(entry, fresh ? null : before, me, taken));
    before = entry;
  }
  return lines;
}

/** `lines`, where what is as it was `before` is the very same, so that it is not drawn anew. */
export function kept(lines: readonly Line[], before: readonly Line[]): Line[] {
  const known = new Map(before.map((line) => [line.key, line]));
  return lines.map((line) => {
    const was = known.get(line.key);
    return was && isSame(was, line) ? was : line;
  });
}

function isSame(was: Line, line: Line): boolean {
  const now: Partial<Record<string, unknown>> = { ...line };
  return Object.entries(was).every(([field, value]) => now[field] === value);
}

/** The message whose menu takes the Tab key: `seq`, else the next before it, else the newest. */
export function tabbedLine(lines: readonly Line[], seq: Seq | null): Line | undefined {
  const withMenu = lines.flatMap((line) =>
    line.kind === "message" && line.entry.Deleted === undefined ? [line] : [],
  );
  return withMenu.findLast(({ entry }) => seq !== null && entry.Seq <= seq) ?? withMenu.at(-1);
}

/** What waits to be sent as lines. Changes of messages are seen there, unless they were refused. */
export function pendingLines(pending: readonly Pending[], conversation: Conversation): Line[] {
  const lines: Line[] = [];
  for (const item of unlogged(pending, conversation)) {
    const key = ownKey(item.id);
    if ((item.kind ?? "message") === "message") {
      lines.push({ kind: "pending", key, item, joined: lines.length > 0 });
    } else if (!isChange(item.kind ?? "") || item.refusal !== undefined) {
      lines.push({ kind: "act", key, item });
    }
  }
  return lines;
}

/** What is in the log needs no ack to be seen there: it may have been lost, or be another page's. */
function unlogged(pending: readonly Pending[], { entries, me }: Conversation): readonly Pending[] {
  if (pending.length === 0) return pending;
  const logged = new Set(entries.flatMap((entry) => (authorOf(entry) === me ? entry.MsgID : [])));
  return pending.filter(({ id }) => !logged.has(id));
}

/** How the message of `line` is shown. */
export function shownIn(line: MessageLine, scene: Scene): Shown {
  if (line.kind === "message") return shown(line.entry, line.joined, scene);
  const { item, joined } = line;
  return { text: item.text, at: item.at, own: true, author: "You", named: false, joined };
}

/** How far the message of `line` has come; undefined where nobody wants to know. */
export function stateIn(line: MessageLine, { conversation }: Scene): string | undefined {
  if (line.kind === "message") return stateOf(line.entry, conversation);
  return line.item.refusal === undefined ? "Sending" : "Not sent";
}

/** What the reply to the entry `refers` shows of it, as far as that is known. */
export function quotedBy(refers: Seq | undefined, scene: Scene): Quoted | undefined {
  const meant = refers === undefined ? undefined : scene.entryAt(refers);
  return meant ? quoteOf(meant, scene.conversation.me, scene.nameOf) : undefined;
}

/** `entry` as a reply shows it. */
export function quoteOf(entry: Entry, me: string, nameOf: NameOf): Quoted {
  const author = authorOf(entry);
  return {
    seq: entry.Seq,
    author: author === me ? "You" : nameOf(author),
    text: excerpt(messageText(entry)),
  };
}

/** Whether `entry` is new to `me`, who has read up to `newAfter`. */
export function isNews(entry: Entry, me: Uid, newAfter: Seq): boolean {
  return entry.EvtType === "message" && entry.Seq > newAfter && authorOf(entry) !== me;
}

function lineOf(entry: Entry, before: Entry | null, me: Uid, taken: Set<string>): Line {
  if (entry.EvtType !== "message") return { kind: "notice", key: `seq-${entry.Seq}`, entry };
  const joined = before !== null && isJoined(before, entry);
  return { kind: "message", key: keyOf(entry, me, taken), entry, joined };
}

/** An own message keeps its key, and its place on the page, when it gets its entry. A MsgID says
 * nothing of others' messages, and may be `taken` by an own one of long before. */
function keyOf(entry: Entry, me: string, taken: Set<string>): string {
  const key = ownKey(entry.MsgID);
  if (authorOf(entry) !== me || !entry.MsgID || taken.has(key)) return `seq-${entry.Seq}`;
  taken.add(key);
  return key;
}

function ownKey(id: string): string {
  return `own-${id}`;
}

/** How a message of the log is shown. */
function shown(entry: Entry, joined: boolean, { conversation, nameOf }: Scene): Shown {
  const author = authorOf(entry);
  const own = author === conversation.me;
  return {
    text: messageText(entry),
    absent: absenceText(entry) !== null,
    at: entry.StoredAt,
    own,
    author: own ? "You" : nameOf(author),
    named: !own && !joined && conversation.other === null,
    joined,
    edited: entry.Edited !== undefined,
    deleted: entry.Deleted !== undefined,
  };
}

/** How far an own message has come. */
function stateOf(entry: Entry, conversation: Conversation): string | undefined {
  if (authorOf(entry) !== conversation.me || entry.Deleted !== undefined) return undefined;
  return stateText(conversation, entry.Seq);
}

function isJoined(before: Entry, entry: Entry): boolean {
  return (
    before.EvtType === "message" &&
    authorOf(before) === authorOf(entry) &&
    entry.StoredAt - before.StoredAt < JOINED_MS
  );
}
