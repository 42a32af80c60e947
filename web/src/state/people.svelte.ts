/** Names of people, learned in passing, and asked for where unknown or old. */

import { SvelteMap } from "svelte/reactivity";
import { asFailure } from "../wire/failure.ts";
import type { Person, Uid } from "../wire/wire.ts";
import type { Api, Clock } from "./ports.ts";

/** So many names are asked for at once, and one old one beside them: of a user's requests the server
 * answers four at a time (docs/protocol.md, 10, "REST"). */
const AT_ONCE = 3;

export class People {
  readonly #names = new SvelteMap<Uid, string>();
  readonly #asked = new Set<Uid>();
  /** Those whose turn to be asked for comes yet. */
  readonly #waiting = new Set<Uid>();
  #asking = 0;
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

  /** Whether there is a name of `uid`, be it an old one. */
  knows(uid: Uid): boolean {
    return this.#names.has(uid);
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
    this.#fetch(again);
  }

  #ask(uid: Uid): void {
    const asOf = this.#asOf.get(uid) ?? Number.POSITIVE_INFINITY; // unknown names are not old
    if (asOf < this.#oldest) this.#askAgain(uid);
    if (this.#asked.has(uid)) return;
    this.#asked.add(uid);
    this.#fetch([uid]);
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

  /** A few at a time: they may be thousands, and the page has more to ask for. */
  #fetch(uids: readonly Uid[]): void {
    for (const uid of uids) this.#waiting.add(uid);
    for (const uid of this.#waiting) {
      if (this.#asking >= AT_ONCE) return;
      this.#waiting.delete(uid);
      if (!this.#asOf.has(uid)) void this.#fetchOne(uid);
    }
  }

  /** Until there is an answer the uid stands in for the name. */
  async #fetchOne(uid: Uid): Promise<void> {
    this.#asking += 1;
    try {
      this.learn(await this.#api.person(uid));
    } catch (thrown) {
      const { code, transient } = asFailure(thrown);
      if (transient || code === "unauthenticated") this.#putOff(uid);
    }
    this.#asking -= 1;
    this.#fetch([]);
  }

  /** Those who wait would fare no better; the next time `uid` holds none of them up. */
  #putOff(uid: Uid): void {
    this.#unanswered.push(...this.#waiting, uid);
    this.#waiting.clear();
  }
}
