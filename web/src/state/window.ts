/** Which of many entries are on the page: a run of bounded length that moves with the reader. Pure. */

import type { Seq } from "../wire/wire.ts";

export interface WindowSettings {
  /** Entries shown at the newest end. */
  tail: number;
  /** Entries the run grows by. */
  step: number;
  /** Entries on the page at most. */
  max: number;
}

export const WINDOW_DEFAULTS: WindowSettings = { tail: 80, step: 60, max: 300 };

/** The first and last `Seq` shown. `from` null: as many as the tail has; `to` null: the newest. */
export interface Run {
  from: Seq | null;
  to: Seq | null;
}

export const NEWEST: Run = { from: null, to: null };

interface Placed {
  Seq: Seq;
}

/** The indices `[start, end)` of `run` in the ascending `entries`. */
export function bounds(
  entries: readonly Placed[],
  run: Run,
  settings: WindowSettings = WINDOW_DEFAULTS,
): [number, number] {
  const end = run.to === null ? entries.length : indexFrom(entries, run.to + 1);
  const start = run.from === null ? Math.max(0, end - settings.tail) : indexFrom(entries, run.from);
  return [Math.min(start, end), end];
}

/** `run` with its ends where they are, so that new entries leave its beginning alone. */
export function held(entries: readonly Placed[], run: Run): Run {
  const [start] = bounds(entries, run);
  return { from: entries[start]?.Seq ?? null, to: run.to };
}

/** `run`, or as much of it as may be on the page: its end is there for who `follows` the newest, its
 * beginning for who reads. */
export function capped(
  entries: readonly Placed[],
  run: Run,
  follows: boolean,
  settings: WindowSettings = WINDOW_DEFAULTS,
): Run {
  const [start, end] = bounds(entries, run, settings);
  if (end - start <= settings.max) return run;
  return follows ? NEWEST : placed(entries, start, start + settings.max);
}

export function earlier(
  entries: readonly Placed[],
  run: Run,
  settings: WindowSettings = WINDOW_DEFAULTS,
): Run {
  const [start, end] = bounds(entries, run, settings);
  const from = Math.max(0, start - settings.step);
  const to = Math.min(end, from + settings.max);
  return placed(entries, from, to);
}

export function later(
  entries: readonly Placed[],
  run: Run,
  settings: WindowSettings = WINDOW_DEFAULTS,
): Run {
  const [start, end] = bounds(entries, run, settings);
  const to = Math.min(entries.length, end + settings.step);
  return placed(entries, Math.max(start, to - settings.max), to);
}

/** A run with `seq` in its middle. */
export function around(
  entries: readonly Placed[],
  seq: Seq,
  settings: WindowSettings = WINDOW_DEFAULTS,
): Run {
  const at = indexFrom(entries, seq);
  const half = Math.floor(settings.tail / 2);
  return placed(entries, Math.max(0, at - half), Math.min(entries.length, at + half));
}

function placed(entries: readonly Placed[], from: number, to: number): Run {
  return {
    from: entries[from]?.Seq ?? null,
    to: to >= entries.length ? null : (entries[to - 1]?.Seq ?? null),
  };
}

/** The index of the first entry whose `Seq` is at least `seq`. */
function indexFrom(entries: readonly Placed[], seq: Seq): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((entries[middle]?.Seq ?? 0) < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}
