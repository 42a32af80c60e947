/** What the log shows, line by line: days, notices, messages, what waits. Pure. */

import type { Conversation } from "../state/conversation.svelte.ts";
import { sameDay } from "../state/dates.ts";
import type { Pending } from "../state/ports.ts";
import { type NameOf, noticeText, stateText } from "../state/wording.ts";
import { authorOf, type Entry } from "../wire/wire.ts";
import type { Shown } from "./Message.svelte";

export type Line =
  | { kind: "day"; key: string; at: number }
  | { kind: "new"; key: string }
  | { kind: "notice"; key: string; seq: number; text: string; at: number }
  | { kind: "message"; key: string; seq: number; message: Shown }
  | { kind: "pending"; key: string; item: Pending; message: Shown };

/** Messages of one author within this time stand close together. */
const JOINED_MS = 5 * 60_000;

/** `entries` as lines. `newAfter`: where the line "New" goes, before the first of others after it. */
export function linesOf(
  entries: readonly Entry[],
  conversation: Conversation,
  nameOf: NameOf,
  newAfter: number | null,
): Line[] {
  const lines: Line[] = [];
  let before: Entry | null = null;
  let marked = newAfter === null;
  for (const entry of entries) {
    const fresh = !before || !sameDay(before.StoredAt, entry.StoredAt);
    if (fresh) lines.push({ kind: "day", key: `day-${entry.Seq}`, at: entry.StoredAt });
    if (!marked && isNews(entry, conversation, newAfter ?? 0)) {
      lines.push({ kind: "new", key: "new" });
      marked = true;
    }
    lines.push(lineOf(entry, fresh ? null : before, conversation, nameOf));
    before = entry;
  }
  return lines;
}

export function pendingLine(item: Pending, alone: boolean): Line {
  const message: Shown = {
    text: item.text,
    at: item.at,
    own: true,
    author: "You",
    named: false,
    joined: !alone,
    state: item.refusal === undefined ? "Sending" : "Not sent",
  };
  return { kind: "pending", key: item.id, item, message };
}

function isNews(entry: Entry, { me }: Conversation, newAfter: number): boolean {
  return entry.EvtType === "message" && entry.Seq > newAfter && authorOf(entry) !== me;
}

function lineOf(
  entry: Entry,
  before: Entry | null,
  conversation: Conversation,
  nameOf: NameOf,
): Line {
  const seq = entry.Seq;
  // A message keeps its key, and its place on the page, when it gets its entry.
  const key = entry.MsgID || `seq-${seq}`;
  if (entry.EvtType === "message") {
    return { kind: "message", key, seq, message: shown(entry, before, conversation, nameOf) };
  }
  const text = noticeText(entry, conversation.me, nameOf);
  return { kind: "notice", key: `seq-${seq}`, seq, text, at: entry.StoredAt };
}

function shown(
  entry: Entry,
  before: Entry | null,
  conversation: Conversation,
  nameOf: NameOf,
): Shown {
  const author = authorOf(entry);
  const own = author === conversation.me;
  const joined = before !== null && isJoined(before, entry);
  return {
    text: entry.Body,
    at: entry.StoredAt,
    own,
    author: own ? "You" : nameOf(author),
    named: !own && !joined && conversation.other === null,
    joined,
    ...(own && { state: stateText(conversation, entry.Seq) }),
    edited: entry.Edited !== undefined,
    deleted: entry.Deleted !== undefined,
    reactions: Object.values(entry.Reactions ?? {}).join(" "),
  };
}

function isJoined(before: Entry, entry: Entry): boolean {
  return (
    before.EvtType === "message" &&
    authorOf(before) === authorOf(entry) &&
    entry.StoredAt - before.StoredAt < JOINED_MS
  );
}
