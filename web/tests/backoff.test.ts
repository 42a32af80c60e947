/** Trying again gets slower, is never in step with others, and waits as long as it was asked to. */

import { describe, expect, test } from "vitest";
import { Patience } from "../src/state/backoff.ts";

const SETTINGS = { firstMs: 500, maxMs: 8_000 };

function waits(patience: Patience, count: number): number[] {
  return Array.from({ length: count }, () => patience.next());
}

describe("the waits between tries", () => {
  test("double up to their bound", () => {
    const patience = new Patience(SETTINGS, () => 1);
    expect(waits(patience, 7)).toEqual([500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000]);
  });

  test("are spread over half of their length", () => {
    expect(waits(new Patience(SETTINGS, () => 0), 2)).toEqual([250, 500]);
    expect(waits(new Patience(SETTINGS, () => 0.5), 2)).toEqual([375, 750]);
  });

  test("begin anew after a success", () => {
    const patience = new Patience(SETTINGS, () => 1);
    waits(patience, 5);
    patience.reset();
    expect(patience.next()).toBe(500);
  });

  test("are at least what the server asked for, once", () => {
    const patience = new Patience(SETTINGS, () => 0);
    patience.hold(3_000);
    expect(waits(patience, 2)).toEqual([3_250, 500]);
  });
});
