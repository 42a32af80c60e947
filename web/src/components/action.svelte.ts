/** Something a form does: busy while it lasts, then done or a problem in plain words. */

import { explain } from "../state/wording.ts";
import { asFailure } from "../wire/failure.ts";

/** The forms of one page: only the one that was used last has something to say. */
export class Forms {
  #last: Action | null = null;

  use(action: Action): void {
    if (this.#last !== action) this.#last?.reset();
    this.#last = action;
  }
}

export class Action {
  busy = $state(false);
  done = $state(false);
  problem = $state("");
  /** The code of what it failed with. */
  code = $state("");
  readonly #words: Record<string, string>;
  readonly #forms: Forms | undefined;

  /** `words`: better words for some error codes here. `forms`: those that it is one of. */
  constructor(words: Record<string, string> = {}, forms?: Forms) {
    this.#words = words;
    this.#forms = forms;
  }

  /** Forgets how it went. */
  reset(): void {
    this.done = false;
    this.problem = "";
    this.code = "";
  }

  /** Says what a form is missing; true when that is nothing. */
  check(missing: string): boolean {
    this.#forms?.use(this);
    this.done = false;
    this.problem = missing;
    return missing === "";
  }

  /** Runs `act` unless it is running; true when it went well. */
  async run(act: () => Promise<unknown>): Promise<boolean> {
    if (this.busy) return false;
    this.#forms?.use(this);
    this.reset();
    this.busy = true;
    try {
      await act();
      this.done = true;
    } catch (thrown) {
      const failure = asFailure(thrown);
      this.problem = explain(failure, this.#words);
      this.code = failure.code;
    } finally {
      this.busy = false;
    }
    return this.done;
  }
}
