/** Finds as somebody types; of several answers the newest question's counts. */

import { untrack } from "svelte";
import type { Connection } from "../state/connection.svelte.ts";
import { explain } from "../state/wording.ts";
import { asFailure } from "../wire/failure.ts";

/** How long typing pauses before something is searched for. */
const PAUSE_MS = 150;

/** Made while a component is, and ends with it. */
export class Search<T> {
  query = $state("");
  /** null: nothing was asked. */
  found = $state.raw<readonly T[] | null>(null);
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
    let wanted = true;
    if (!query) {
      this.found = null;
      this.problem = "";
    }
    const ask = () => void this.#ask(query, () => wanted);
    const timer = query ? setTimeout(ask, PAUSE_MS) : undefined;
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }

  async #ask(query: string, wanted: () => boolean): Promise<void> {
    try {
      const found = await this.#find(query);
      if (!wanted()) return;
      this.found = found;
      this.problem = "";
    } catch (thrown) {
      if (wanted()) this.problem = explain(asFailure(thrown));
    }
  }
}
