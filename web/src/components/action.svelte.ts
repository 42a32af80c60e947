/** Something a form does: busy while it lasts, then done or a problem in plain words. */

import { explain } from "../state/wording.ts";
import { asFailure } from "../wire/failure.ts";

export class Action {
  busy = $state(false);
  done = $state(false);
  problem = $state("");
  readonly #words: Record<string, string>;

  /** `words`: better words for some error codes here. */
  constructor(words: Record<string, string> = {}) {
    this.#words = words;
  }

  /** Runs `act` unless it is running; true when it went well. */
  async run(act: () => Promise<unknown>): Promise<boolean> {
    if (this.busy) return false;
    this.busy = true;
    this.done = false;
    this.problem = "";
    try {
      await act();
      this.done = true;
    } catch (thrown) {
      this.problem = explain(asFailure(thrown), this.#words);
    } finally {
      this.busy = false;
    }
    return this.done;
  }
}
