/** How long to wait before trying again: doubling, bounded, with jitter against stampedes. */

export interface BackoffSettings {
  firstMs: number;
  maxMs: number;
}

/** How long to wait between tries that go on until one succeeds. */
export class Patience {
  readonly #settings: BackoffSettings;
  readonly #random: () => number;
  #attempt = 0;
  #holdMs = 0;

  constructor(settings: BackoffSettings, random: () => number) {
    this.#settings = settings;
    this.#random = random;
  }

  /** The next wait is at least so long: somebody asked for it. */
  hold(ms: number): void {
    this.#holdMs = ms;
  }

  /** A try succeeded. */
  reset(): void {
    this.#attempt = 0;
  }

  /** The wait before the next try, in ms. What was asked for is stretched by the jitter, too. */
  next(): number {
    const wait = this.#holdMs + backoffMs(this.#attempt, this.#random(), this.#settings);
    this.#attempt += 1;
    this.#holdMs = 0;
    return wait;
  }
}

/** The wait before try `attempt` (0 is the first): half of the doubled time, and a random half. */
export function backoffMs(attempt: number, random: number, settings: BackoffSettings): number {
  const whole = Math.min(settings.maxMs, settings.firstMs * 2 ** Math.min(attempt, 20));
  return Math.round(whole / 2 + (whole / 2) * random);
}
