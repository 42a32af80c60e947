/** Trying again gets slower, is never in step with others, and waits as long as it was asked to. */

import { describe, expect, test } from "vitest";
import { Patience } from "../src/state/backoff.ts";
import { ManualClock } from "./fakes.ts";

class Clock extends ManualClock {
  readonly #random: number;

  constructor(random: number) {
    super();
    this.#random = random;
  }

  override random(): number {
    return this.#random;
  }
}

const SETTINGS = { firstMs: 500, maxMs: 8_000 };

function waits(patience: Patience, count: number): number[] {
  return Array.from({ length: count }, () => patience.next());
}

describe("the waits between tries", () => {
  test("double up to their bound", () => {
    const patience = new Patience(SETTINGS, new Clock(1));
    expect(waits(patience, 7)).toEqual([500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000]);
  });

  test("are spread over half of their length", () => {
    expect(waits(new Patience(SETTINGS, new Clock(0)), 2)).toEqual([250, 500]);
    expect(waits(new Patience(SETTINGS, new Clock(0.5)), 2)).toEqual([375, 750]);
  });

  test("begin anew after a success that lasts, and not after one that does not", async () => {
    const clock = new Clock(1);
    const patience = new Patience(SETTINGS, clock);
    waits(patience, 3);
    patience.began();
    await clock.pass(7_000);
    patience.ended();
    await clock.pass(60_000);
    expect(patience.next()).toBe(4_000);
    patience.began();
    await clock.pass(8_000);
    patience.ended();
    expect(patience.next()).toBe(500);
  });

  test("are at least what the server asked for, once", () => {
    const patience = new Patience(SETTINGS, new Clock(0));
    patience.hold(3_000);
    expect(waits(patience, 2)).toEqual([3_250, 500]);
  });
});
