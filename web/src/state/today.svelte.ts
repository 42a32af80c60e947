/** The day it is, for pages that stay open over midnight. */

import { nextMidnight, sameDay } from "./dates.ts";
import type { Clock } from "./ports.ts";

export class Today {
  /** A moment of this day, in ms since 1970. */
  at = $state(0);
  readonly #clock: Pick<Clock, "now" | "after">;
  #cancel: () => void = () => {};

  constructor(clock: Pick<Clock, "now" | "after">) {
    this.#clock = clock;
    this.look();
  }

  /** Looks at the clock; a page that was asleep at midnight has missed it. */
  look(): void {
    const now = this.#clock.now();
    if (!sameDay(now, this.at)) this.at = now;
    this.#cancel();
    this.#cancel = this.#clock.after(nextMidnight(now) - now, () => this.look());
  }

  /** Looks whenever the page comes into view. */
  follow(page: Document): void {
    page.addEventListener("visibilitychange", () => this.look());
  }
}
