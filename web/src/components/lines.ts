/** What the log shows, line by line: days, notices, messages, what waits. Pure. */

import type { Conversation } from "../state/conversation.svelte.ts";
import { sameDay } from "../state/dates.ts";
import type { Pending } from "../state/ports.ts";
import { isChange } from "../state/timeline.ts";
import {
  absenceText,
  actText,
  messageText,
  type NameOf,
  noticeText,
  stateText,
} from "../state/wording.ts";
import { authorOf, type Entry, type Seq } from "../wire/wire.ts";
import type { Shown } from "./Message.svelte";
import type { Quoted } from "./Quote.svelte";

export type Line =
  | { kind: "day"; key: string; at: number }
  | { kind: "new"; key: string }
  | { kind: "notice"; key: string; seq: number; text: string; at: number }
  | { kind: "message"; key: string; entry: Entry; message: Shown }
  | { kind: "pending"; key: string; item: Pending; message: Shown }
  | { kind: "act"; key: string; item: Pending; text: string };

/** What the lines are made from beside the entries. */
export interface Scene {
  conversation: Conversation;
  nameOf: NameOf;
  /** The entry that a reply means, as far as it is known. */
  entryAt: (seq: Seq) => Entry | null | undefined;
  /** The entries whose changes wait to be sent. */
  changing: ReadonlySet<Seq>;
}

/** Messages of one author within this time stand close together. */
const JOINED_MS = 5 * 60_000;

/** `entries` as lines. `newAfter`: where the line "New" goes, before the first of others after it. */
export function linesOf(entries: readonly Entry[], scene: Scene, newAfter: number | null): Line[] {
  const lines: Line[] = [];
  const taken = new Set<string>();
  let before: Entry | null = null;
  let marked = newAfter === null;
  for (const entry of entries) {
    const fresh = !before || !sameDay(before.StoredAt, entry.StoredAt);
    if (fresh) lines.push({ kind: "day", key: `day-${entry.Seq}`, at: entry.StoredAt });
    if (!marked && isNews(entry, scene.conversation, newAfter ?? 0)) {
      lines.push({ kind: "new", key: "new" });
      marked = true;
    }
    lines.push(lineOf(entry, fresh ? null : before, scene, taken));
    before = entry;
  }
  return lines;
}

/** The message whose menu takes the Tab key: `seq`, else the next before it, else the newest. */
export function tabbedLine(lines: readonly Line[], seq: Seq | null): Line | undefined {
  const withMenu = lines.flatMap((line) =>
    line.kind === "message" && !line.message.deleted ? [line] : [],
  );
  return withMenu.findLast(({ entry }) => seq !== null && entry.Seq <= seq) ?? withMenu.at(-1);
}

/** What waits to be sent as lines. Changes of messages are seen there, unless they were refused. */
export function pendingLines(pending: readonly Pending[], scene: Scene): Line[] {
  const lines: Line[] = [];
  for (const item of unlogged(pending, scene.conversation)) {
    if ((item.kind ?? "message") === "message") {
      lines.push(pendingLine(item, lines.length === 0, scene));
    } else if (!isChange(item.kind ?? "") || item.refusal !== undefined) {
      lines.push({ kind: "act", key: ownKey(item.id), item, text: actText(item, scene.nameOf) });
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

function pendingLine(item: Pending, alone: boolean, scene: Scene): Line {
  const message: Shown = {
    text: item.text,
    at: item.at,
    own: true,
    author: "You",
    named: false,
    joined: !alone,
    state: item.refusal === undefined ? "Sending" : "Not sent",
    ...quotedBy(item.refers, scene),
  };
  return { kind: "pending", key: ownKey(item.id), item, message };
}

function quotedBy(refers: Seq | undefined, scene: Scene): { quoted?: Quoted } {
  const meant = refers === undefined ? undefined : scene.entryAt(refers);
  return meant ? { quoted: quoteOf(meant, scene.conversation.me, scene.nameOf) } : {};
}

/** `entry` as a reply shows it. */
export function quoteOf(entry: Entry, me: string, nameOf: NameOf): Quoted {
  const author = authorOf(entry);
  return {
    seq: entry.Seq,
    author: author === me ? "You" : nameOf(author),
    text: messageText(entry),
  };
}

function isNews(entry: Entry, { me }: Conversation, newAfter: number): boolean {
  return entry.EvtType === "message" && entry.Seq > newAfter && authorOf(entry) !== me;
}

function lineOf(entry: Entry, before: Entry | null, scene: Scene, taken: Set<string>): Line {
  const seq = entry.Seq;
  const { me } = scene.conversation;
  if (entry.EvtType === "message") {
    const key = keyOf(entry, me, taken);
    return { kind: "message", key, entry, message: shown(entry, before, scene) };
  }
  const text = noticeText(entry, me, scene.nameOf);
  return { kind: "notice", key: `seq-${seq}`, seq, text, at: entry.StoredAt };
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

function shown(entry: Entry, before: Entry | null, scene: Scene): Shown {
  const { conversation, nameOf } = scene;
  const author = authorOf(entry);
  const own = author === conversation.me;
  const deleted = entry.Deleted !== undefined;
  const joined = before !== null && isJoined(before, entry);
  return {
    text: messageText(entry),
    absent: absenceText(entry) !== null,
    at: entry.StoredAt,
    own,
    author: own ? "You" : nameOf(author),
    named: !own && !joined && conversation.other === null,
    joined,
    ...(own && !deleted && { state: stateText(conversation, entry.Seq) }),
    changing: scene.changing.has(entry.Seq),
    edited: entry.Edited !== undefined,
    deleted,
    ...quotedBy(entry.Refers, scene),
  };
}

function isJoined(before: Entry, entry: Entry): boolean {
  return (
    before.EvtType === "message" &&
    authorOf(before) === authorOf(entry) &&
    entry.StoredAt - before.StoredAt < JOINED_MS
  );
}
