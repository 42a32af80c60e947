/** Names of people, learned in passing, and asked for where unknown or old. */

import { SvelteMap } from "svelte/reactivity";
import { asFailure } from "../wire/failure.ts";
import type { Person, Uid } from "../wire/wire.ts";
import type { Api, Clock } from "./ports.ts";

export class People {
  readonly #names = new SvelteMap<Uid, string>();
  readonly #asked = new Set<Uid>();
  /** Those who were asked for while nobody could answer. */
  #unanswered: Uid[] = [];
  /** When each was last told of, or asked for again, in ms. */
  readonly #asOf = new Map<Uid, number>();
  /** Names from before are old. What shows a name reads it, and so asks again when it moves. */
  #oldest = $state(0);
  /** Those whose old names are shown, to be asked for again. */
  readonly #old = new Set<Uid>();
  #renewing = false;
  readonly #api: Pick<Api, "person">;
  readonly #clock: Pick<Clock, "now">;

  constructor(api: Pick<Api, "person">, clock: Pick<Clock, "now">) {
    this.#api = api;
    this.#clock = clock;
  }

  learn({ uid, name }: Person): void {
    this.#asked.add(uid);
    this.#asOf.set(uid, this.#clock.now());
    this.#old.delete(uid);
    if (name && this.#names.get(uid) !== name) this.#names.set(uid, name);
  }

  /** The name of `uid`, an old one until there is an answer, or the uid until its name is known. */
  name(uid: Uid): string {
    this.#ask(uid);
    return this.#names.get(uid) ?? uid;
  }

  /** Names from before `oldest`, in ms, are asked for again where they are shown. */
  freshen(oldest: number): void {
    this.#oldest = oldest;
  }

  /** Asks again for those whom nobody could answer for. */
  resume(): void {
    const again = this.#unanswered.filter((uid) => !this.#names.has(uid));
    this.#unanswered = [];
    for (const uid of again) void this.#fetch(uid);
  }

  #ask(uid: Uid): void {
    const asOf = this.#asOf.get(uid) ?? Number.POSITIVE_INFINITY; // unknown names are not old
    if (asOf < this.#oldest) this.#askAgain(uid);
    if (this.#asked.has(uid)) return;
    this.#asked.add(uid);
    void this.#fetch(uid);
  }

  #askAgain(uid: Uid): void {
    this.#asOf.set(uid, this.#clock.now()); // once in that time, whatever the answer
    this.#old.add(uid);
    if (!this.#renewing) void this.#renew();
  }

  /** One after the other: they may be many, and there is something to show meanwhile. */
  async #renew(): Promise<void> {
    this.#renewing = true;
    for (const uid of this.#old) {
      this.#old.delete(uid);
      try {
        this.learn(await this.#api.person(uid));
      } catch (thrown) {
        if (asFailure(thrown).transient) this.#old.clear(); // the others would fare no better
      }
    }
    this.#renewing = false;
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
