/** Of a long conversation a bounded run of entries is on the page, and it moves with the reader. */

import { describe, expect, test } from "vitest";
import {
  bounds,
  capped,
  earlier,
  held,
  later,
  NEWEST,
  WINDOW_DEFAULTS,
} from "../src/state/window.ts";

const { tail, step, max } = WINDOW_DEFAULTS;

function entries(from: number, to: number): { Seq: number }[] {
  return Array.from({ length: to - from + 1 }, (_, at) => ({ Seq: from + at }));
}

describe("the run of entries on the page", () => {
  test("is the tail at first", () => {
    expect(bounds(entries(1, 1000), NEWEST)).toEqual([1000 - tail, 1000]);
  });

  test("is everything of a short conversation", () => {
    expect(bounds(entries(1, 3), NEWEST)).toEqual([0, 3]);
    expect(bounds([], NEWEST)).toEqual([0, 0]);
  });

  test("grows by a step towards the older ones, and lets go of the newest at its bound", () => {
    let run = NEWEST;
    const lengths: number[] = [];
    for (let turn = 0; turn < 6; turn += 1) {
      run = earlier(entries(1, 1000), run);
      const [start, end] = bounds(entries(1, 1000), run);
      lengths.push(end - start);
    }
    expect(lengths).toEqual([tail + step, tail + 2 * step, tail + 3 * step, max, max, max]);
  });

  test("comes back to the newest", () => {
    const all = entries(1, 1000);
    let run = NEWEST;
    for (let turn = 0; turn < 20; turn += 1) run = earlier(all, run);
    expect(bounds(all, run)[0]).toBe(0);
    for (let turn = 0; turn < 20; turn += 1) run = later(all, run);
    expect(bounds(all, run)).toEqual([1000 - max, 1000]);
    expect(run.to).toBeNull();
  });

  test("stays where it is while older ones are fetched and new ones arrive", () => {
    const run = held(entries(500, 600), NEWEST);
    const [start, end] = bounds(entries(400, 610), run);
    expect(entries(400, 610).slice(start, end).at(0)?.Seq).toBe(601 - tail);
    expect(entries(400, 610).slice(start, end).at(-1)?.Seq).toBe(610);
  });

  test("that grows beyond its bound is the tail again for who follows the newest", () => {
    const run = held(entries(1, 200), earlier(entries(1, 200), NEWEST));
    const all = entries(1, 1000);
    expect(capped(entries(1, 200), run, true)).toBe(run);
    expect(bounds(all, capped(all, run, true))).toEqual([1000 - tail, 1000]);
  });

  test("that grows beyond its bound begins where it did for who reads further up", () => {
    const run = held(entries(1, 200), earlier(entries(1, 200), NEWEST));
    const all = entries(1, 1000);
    const start = 200 - tail - step;
    expect(bounds(all, capped(all, run, false))).toEqual([start, start + max]);
  });
});
