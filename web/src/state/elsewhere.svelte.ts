/** Whether somebody looks at another page of this browser, as the pages tell each other. */

import { SvelteMap } from "svelte/reactivity";
import type { Clock, Looks } from "./ports.ts";

export interface ElsewhereSettings {
  /** A page that somebody looks at says so again after so long. */
  againMs: number;
  /** What a page said holds so long: it may be gone since, and have told nobody. */
  holdsMs: number;
}

export const ELSEWHERE_DEFAULTS: ElsewhereSettings = { againMs: 2_000, holdsMs: 5_000 };

export class Elsewhere {
  readonly #looks: Looks;
  readonly #clock: Pick<Clock, "now" | "after">;
  readonly #settings: ElsewhereSettings;
  /** When each page last said that somebody looks at it, in ms. */
  readonly #said = new SvelteMap<string, number>();
  #cancel: () => void = () => {};

  constructor(
    looks: Looks,
    clock: Pick<Clock, "now" | "after">,
    settings: ElsewhereSettings = ELSEWHERE_DEFAULTS,
  ) {
    this.#looks = looks;
    this.#clock = clock;
    this.#settings = settings;
    looks.heed((page, present) => {
      if (present) this.#said.set(page, clock.now());
      else this.#said.delete(page);
    });
  }

  get present(): boolean {
    const now = this.#clock.now();
    // A clock that is set back makes nothing hold for longer.
    return [...this.#said.values()].some((at) => Math.abs(now - at) <= this.#settings.holdsMs);
  }

  /** Tells the other pages whether somebody looks at this one from now on. */
  tell(present: boolean): void {
    this.#cancel();
    this.#looks.announce(present);
    if (present) this.#cancel = this.#clock.after(this.#settings.againMs, () => this.tell(true));
  }
}
