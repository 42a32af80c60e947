/** Entries of one log in order, and what edits, deletions and reactions make of them. Pure. */

import {
  authorOf,
  type Entry,
  type GroupChange,
  type GroupSettings,
  parsed,
  type RoleChange,
  type Seq,
  type Uid,
} from "../wire/wire.ts";
import type { Pending } from "./ports.ts";

/** Kinds that have a place of their own on the screen. */
const SHOWN = new Set(["message", "create", "join", "depart", "role", "remove", "group", "close"]);
/** Kinds that change an earlier entry. */
const CHANGES = new Set(["edit", "delete", "react"]);

/** What a change needs to tell. */
export type Change = Pick<Entry, "EvtType" | "From" | "Originated" | "Seq" | "Body">;

export function isShown(entry: Entry): boolean {
  return SHOWN.has(entry.EvtType);
}

export function isChange(kind: string): boolean {
  return CHANGES.has(kind);
}

export function isKnown(entry: Entry): boolean {
  return SHOWN.has(entry.EvtType) || CHANGES.has(entry.EvtType);
}

/** `entries` with `entry` at the end, and with what it changes changed. */
export function appended(entries: readonly Entry[], entry: Entry): Entry[] {
  return amended([...entries, entry], entry);
}

/** `entries` with what `entry`, which is elsewhere, changes among them changed. */
export function amended(entries: readonly Entry[], entry: Entry): Entry[] {
  const next = [...entries];
  amend(next, entry);
  return next;
}

/** Changes in place what `entry` means among `entries`, if it is a change. */
function amend(entries: Entry[], entry: Entry): void {
  if (!CHANGES.has(entry.EvtType)) return;
  const at = indexOfSeq(entries, entry.Refers ?? 0);
  const target = entries[at];
  if (target) entries[at] = changed(target, entry);
}

/** `target` after `change`, by docs/protocol.md, "Kinds"; a page may tell newer changes earlier. */
export function changed(target: Entry, change: Change): Entry {
  if (change.EvtType === "delete") return { ...target, Body: "", Deleted: change.Seq };
  if (target.Deleted !== undefined) return target;
  if (change.EvtType === "edit") {
    if ((target.Edited ?? 0) > change.Seq) return target;
    return { ...target, Body: change.Body, Edited: change.Seq };
  }
  const { [authorOf(change)]: _, ...others } = target.Reactions ?? {};
  const Reactions = change.Body ? { ...others, [authorOf(change)]: change.Body } : others;
  return { ...target, Reactions };
}

function waitingChanges(pending: readonly Pending[]): Pending[] {
  return pending.filter((item) => item.refusal === undefined && isChange(item.kind ?? ""));
}

/** The entries whose changes wait to be sent. */
export function changing(pending: readonly Pending[]): ReadonlySet<Seq> {
  return new Set(waitingChanges(pending).map(({ refers = 0 }) => refers));
}

/** `entries` as they will be once what waits to be sent, and is not refused, is in the log. */
export function withPending(
  entries: readonly Entry[],
  pending: readonly Pending[],
  me: Uid,
): readonly Entry[] {
  const changes = waitingChanges(pending);
  if (changes.length === 0) return entries;
  const next = [...entries];
  for (const { kind = "", text, refers = 0 } of changes) {
    const at = indexOfSeq(next, refers);
    const target = next[at];
    const change = { EvtType: kind, From: me, Originated: "", Body: text };
    if (target) next[at] = changed(target, { ...change, Seq: Number.MAX_SAFE_INTEGER });
  }
  return next;
}

/** `older` ahead of `entries`, without what is there already, and as `entries` have changed it. */
export function prepended(older: readonly Entry[], entries: readonly Entry[]): Entry[] {
  const first = entries[0]?.Seq ?? Number.POSITIVE_INFINITY;
  const earlier = older.filter((entry) => entry.Seq < first);
  for (const entry of entries) amend(earlier, entry);
  return [...earlier, ...entries];
}

/** The newest of `entries`, as far as they follow one on the other. */
export function unbroken(entries: readonly Entry[]): readonly Entry[] {
  return entries.slice(entries.findLastIndex(({ Seq }, at) => entries[at - 1]?.Seq !== Seq - 1));
}

/** The newest message of `me` that can be rewritten. */
export function lastOwn(entries: readonly Entry[], me: Uid): Entry | undefined {
  return entries.findLast(
    (entry) => entry.EvtType === "message" && authorOf(entry) === me && entry.Body !== "",
  );
}

/** Where `seq` is in the ascending `entries`, or -1. */
export function indexOfSeq(entries: readonly Entry[], seq: number): number {
  let low = 0;
  let high = entries.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const at = entries[middle]?.Seq ?? 0;
    if (at === seq) return middle;
    if (at < seq) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

type Said = Pick<Entry, "Body">;

/** The uids a notice's Body lists. */
export function uidsOf(entry: Said): Uid[] {
  const list = parsed(entry.Body);
  return Array.isArray(list) ? list.filter((uid) => typeof uid === "string") : [];
}

/** What a `role` says; null where it says nothing. */
export function roleChangeOf(entry: Said): RoleChange | null {
  const change = parsed(entry.Body) as Partial<RoleChange> | null;
  if (typeof change?.uid !== "string" || typeof change.role !== "string") return null;
  return { uid: change.uid, role: change.role };
}

/** What a `group` says. */
export function groupChangeOf(entry: Said): GroupChange {
  const change = parsed(entry.Body);
  return typeof change === "object" && change !== null ? (change as GroupChange) : {};
}

/** A group's rules after `change`, which may tell of other things, too. */
export function settingsAfter(now: GroupSettings, change: Partial<GroupSettings>): GroupSettings {
  return {
    history_open: change.history_open ?? now.history_open,
    announcements: change.announcements ?? now.announcements,
    public: change.public ?? now.public,
    closed: change.closed ?? now.closed,
  };
}
