/** Finds as somebody types; of several answers the newest question's counts. */

import { untrack } from "svelte";
import type { Connection } from "../state/connection.svelte.ts";
import { explain } from "../state/wording.ts";
import { asFailure } from "../wire/failure.ts";

/** How long typing pauses before something is searched for. */
const PAUSE_MS = 150;
/** So long what was found for other words is left where it is, so that little moves as one types. */
const PATIENCE_MS = 600;

/** Made while a component is, and ends with it. */
export class Search<T> {
  query = $state("");
  /** null: nothing was asked, or not answered yet. */
  found = $state.raw<readonly T[] | null>(null);
  /** What is asked is not answered yet; what is `found` is for other words. */
  waiting = $state(false);
  problem = $state("");
  readonly #find: (query: string) => Promise<T[]>;
  /** How often the same was to be asked again. */
  #again = $state(0);

  constructor(find: (query: string) => Promise<T[]>, connection: Pick<Connection, "state">) {
    this.#find = find;
    $effect(() => {
      void this.#again;
      return this.#follow(this.query.trim());
    });
    // What nobody answered is asked for again once somebody can.
    $effect(() => {
      if (connection.state === "online") untrack(() => this.#askAgain());
    });
  }

  /** What to say where there is nothing to show; "" where it is a problem that is told. */
  get emptiness(): string {
    if (this.problem) return "";
    if (this.waiting) return "Searching…";
    return this.found === null ? "Type a name or a user ID." : "Nobody found by that name or ID.";
  }

  /** Of a search field: Escape empties it before it closes anything. */
  readonly onkeydown = (event: KeyboardEvent): void => {
    if (event.key !== "Escape" || !this.query) return;
    event.preventDefault();
    this.query = "";
  };

  #askAgain(): void {
    if (this.problem) this.#again += 1;
  }

  #follow(query: string): () => void {
    this.waiting = query !== "";
    if (!query) {
      this.found = null;
      this.problem = "";
      return () => {};
    }
    let wanted = true;
    const asking = setTimeout(() => void this.#ask(query, () => wanted), PAUSE_MS);
    const outdated = setTimeout(() => {
      if (this.waiting) this.found = null;
    }, PATIENCE_MS);
    return () => {
      wanted = false;
      clearTimeout(asking);
      clearTimeout(outdated);
    };
  }

  async #ask(query: string, wanted: () => boolean): Promise<void> {
    try {
      const found = await this.#find(query);
      if (wanted()) this.#answer(found, "");
    } catch (thrown) {
      if (wanted()) this.#answer(null, explain(asFailure(thrown)));
    }
  }

  #answer(found: readonly T[] | null, problem: string): void {
    this.waiting = false;
    this.found = found;
    this.problem = problem;
  }
}
