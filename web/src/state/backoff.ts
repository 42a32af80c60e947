/** How long to wait before trying again: doubling, bounded, with jitter against stampedes. */

import type { Clock } from "./ports.ts";

export interface BackoffSettings {
  firstMs: number;
  maxMs: number;
}

/** How long to wait between tries that go on until one succeeds, and its success lasts. */
export class Patience {
  readonly #settings: BackoffSettings;
  readonly #clock: Pick<Clock, "after" | "random">;
  #attempt = 0;
  #holdMs = 0;
  #cancelReset: (() => void) | null = null;

  constructor(settings: BackoffSettings, clock: Pick<Clock, "after" | "random">) {
    this.#settings = settings;
    this.#clock = clock;
  }

  /** The next wait is at least so long: somebody asked for it. */
  hold(ms: number): void {
    this.#holdMs = ms;
  }

  /** A try succeeded: the waits begin anew if that lasts longer than any of them. */
  began(): void {
    this.ended();
    this.#cancelReset = this.#clock.after(this.#settings.maxMs, () => {
      this.#attempt = 0;
    });
  }

  /** What had succeeded is over. */
  ended(): void {
    this.#cancelReset?.();
    this.#cancelReset = null;
  }

  /** The wait before the next try, in ms. */
  next(): number {
    const wait = waitMs(this.#attempt, this.#holdMs, this.#clock.random(), this.#settings);
    this.#attempt += 1;
    this.#holdMs = 0;
    return wait;
  }
}

/** The wait before try `attempt` (0 is the first), in ms. The jitter stretches what was asked for, too:
 * it may be nothing at all, and is the same for everybody. */
export function waitMs(
  attempt: number,
  askedMs: number | undefined,
  random: number,
  settings: BackoffSettings,
): number {
  return (askedMs ?? 0) + backoffMs(attempt, random, settings);
}

/** Half of the doubled time, and a random half. */
function backoffMs(attempt: number, random: number, settings: BackoffSettings): number {
  const whole = Math.min(settings.maxMs, settings.firstMs * 2 ** Math.min(attempt, 20));
  return Math.round(whole / 2 + (whole / 2) * random);
}
