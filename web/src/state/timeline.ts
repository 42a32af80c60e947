/** Entries of one log in order, and what edits, deletions and reactions make of them. Pure. */

import { authorOf, type Entry } from "../wire/wire.ts";

/** Kinds that have a place of their own on the screen. */
const SHOWN = new Set(["message", "create", "join", "depart"]);
/** Kinds that change an earlier entry. */
const CHANGES = new Set(["edit", "delete", "react"]);

export function isShown(entry: Entry): boolean {
  return SHOWN.has(entry.EvtType);
}

export function isKnown(entry: Entry): boolean {
  return SHOWN.has(entry.EvtType) || CHANGES.has(entry.EvtType);
}

/** `entries` with `entry` at the end, and with what it changes changed. */
export function appended(entries: readonly Entry[], entry: Entry): Entry[] {
  const next = [...entries, entry];
  if (!CHANGES.has(entry.EvtType)) return next;
  const at = indexOfSeq(next, entry.Refers ?? 0);
  const target = next[at];
  if (target) next[at] = changed(target, entry);
  return next;
}

/** `target` after `change`, by docs/protocol.md, "Kinds". */
export function changed(target: Entry, change: Entry): Entry {
  if (change.EvtType === "edit") return { ...target, Body: change.Body, Edited: change.Seq };
  if (change.EvtType === "delete") return { ...target, Body: "", Deleted: change.Seq };
  const { [authorOf(change)]: _, ...others } = target.Reactions ?? {};
  const Reactions = change.Body ? { ...others, [authorOf(change)]: change.Body } : others;
  return { ...target, Reactions };
}

/** `older` ahead of `entries`, without what is there already. */
export function prepended(older: readonly Entry[], entries: readonly Entry[]): Entry[] {
  const first = entries[0]?.Seq ?? Number.POSITIVE_INFINITY;
  return [...older.filter((entry) => entry.Seq < first), ...entries];
}

/** Where `seq` is in the ascending `entries`, or -1. */
function indexOfSeq(entries: readonly Entry[], seq: number): number {
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
