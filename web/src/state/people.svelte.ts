/** Names of people, learned in passing and asked for once where unknown. */

import { SvelteMap } from "svelte/reactivity";
import { asFailure } from "../wire/failure.ts";
import type { Person, Uid } from "../wire/wire.ts";
import type { Api } from "./ports.ts";

export class People {
  readonly #names = new SvelteMap<Uid, string>();
  readonly #asked = new Set<Uid>();
  /** Those who were asked for while nobody could answer. */
  #unanswered: Uid[] = [];
  readonly #api: Pick<Api, "person">;

  constructor(api: Pick<Api, "person">) {
    this.#api = api;
  }

  learn({ uid, name }: Person): void {
    this.#asked.add(uid);
    if (name && this.#names.get(uid) !== name) this.#names.set(uid, name);
  }

  /** The name of `uid`, or the uid until its name is known. */
  name(uid: Uid): string {
    this.#ask(uid);
    return this.#names.get(uid) ?? uid;
  }

  /** Asks again for those whom nobody could answer for. */
  resume(): void {
    const again = this.#unanswered;
    this.#unanswered = [];
    for (const uid of again) void this.#fetch(uid);
  }

  #ask(uid: Uid): void {
    if (this.#asked.has(uid)) return;
    this.#asked.add(uid);
    void this.#fetch(uid);
  }

  /** Until there is an answer the uid stands in for the name. */
  async #fetch(uid: Uid): Promise<void> {
    try {
      this.learn(await this.#api.person(uid));
    } catch (thrown) {
      if (asFailure(thrown).transient) this.#unanswered.push(uid);
    }
  }
}
