/** Names of people, learned in passing and asked for once where unknown. */

import { SvelteMap } from "svelte/reactivity";
import type { Person, Uid } from "../wire/wire.ts";
import type { Api } from "./ports.ts";

export class People {
  readonly #names = new SvelteMap<Uid, string>();
  readonly #asked = new Set<Uid>();
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

  #ask(uid: Uid): void {
    if (this.#asked.has(uid)) return;
    this.#asked.add(uid);
    this.#api.person(uid).then(
      (person) => this.learn(person),
      () => {}, // the uid stands in for the name
    );
  }
}
