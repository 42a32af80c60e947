/** Who is logged in here, and getting in and out. */

import { asFailure, type Failure } from "../wire/failure.ts";
import type { Person, Profile, ProfileChange } from "../wire/wire.ts";
import { backoffMs } from "./backoff.ts";
import type { Client } from "./client.svelte.ts";
import type { Api, Clock } from "./ports.ts";

export type Phase = "starting" | "unreachable" | "out" | "in" | "open-mode";

/** A client for `uid`; what was kept of earlier logins is forgotten first if `fresh`. */
export type ClientMaker = (uid: string, fresh: boolean, loggedOut: () => void) => Promise<Client>;

const LOGGED_OUT = "You were logged out on this device.";
const RETRY = { firstMs: 500, maxMs: 8_000 };

export class Session {
  phase = $state<Phase>("starting");
  profile = $state.raw<Profile | null>(null);
  client = $state.raw<Client | null>(null);
  /** Why one is out, in plain words, until the next login; "" when it needs none. */
  notice = $state("");
  readonly api: Api;
  readonly #clock: Clock;
  readonly #makeClient: ClientMaker;
  readonly #forget: (uid: string) => Promise<void>;
  #loggingOut = false;

  constructor(
    api: Api,
    clock: Clock,
    makeClient: ClientMaker,
    forget: (uid: string) => Promise<void>,
  ) {
    this.api = api;
    this.#clock = clock;
    this.#makeClient = makeClient;
    this.#forget = forget;
  }

  /** Finds out who is logged in; keeps trying while the server cannot be reached. */
  async start(attempt = 0): Promise<void> {
    try {
      await this.#enter(await this.api.me(), false);
    } catch (thrown) {
      const failure = asFailure(thrown);
      if (failure.transient) this.#tryLater(attempt, failure);
      else this.phase = failure.code === "unauthenticated" ? "out" : "open-mode";
    }
  }

  /** Rejects with a Failure. */
  async login(uid: string, password: string): Promise<void> {
    await this.#checkIn(() => this.api.login(uid, password));
  }

  /** Rejects with a Failure. */
  async register(uid: string, name: string, password: string): Promise<void> {
    await this.#checkIn(() => this.api.register(uid, name, password));
  }

  /** Ends the session; what this browser keeps of the conversations goes with it. */
  async logout(): Promise<void> {
    const uid = this.profile?.uid;
    this.#loggingOut = true;
    try {
      await this.api.logout();
    } catch (thrown) {
      if (asFailure(thrown).code !== "unauthenticated") throw thrown;
    } finally {
      this.#loggingOut = false;
    }
    this.#leave("");
    if (uid) await this.#forget(uid);
  }

  /** Rejects with a Failure. */
  async changeProfile(change: ProfileChange): Promise<void> {
    this.profile = await this.api.changeMe(change);
    const { uid, name } = this.profile;
    this.client?.people.learn({ uid, name });
  }

  async #checkIn(act: () => Promise<Person>): Promise<void> {
    try {
      await act();
    } catch (thrown) {
      throw this.#openModeOr(asFailure(thrown));
    }
    await this.#enter(await this.api.me(), true);
  }

  /** A server in open mode has no logins to offer. */
  #openModeOr(failure: Failure): Failure {
    if (failure.code === "not_found") this.phase = "open-mode";
    return failure;
  }

  async #enter(profile: Profile, fresh: boolean): Promise<void> {
    const client = await this.#makeClient(profile.uid, fresh, () => this.#ended());
    client.people.learn(profile);
    this.profile = profile;
    this.client = client;
    this.notice = "";
    this.phase = "in";
    await client.start();
  }

  /** The server ended the session; it does so, too, where one logs out oneself. */
  #ended(): void {
    this.#leave(this.#loggingOut ? "" : LOGGED_OUT);
  }

  #leave(notice: string): void {
    this.client?.stop();
    this.client = null;
    this.profile = null;
    this.notice = notice;
    this.phase = "out";
  }

  #tryLater(attempt: number, { retryAfterMs }: Failure): void {
    this.phase = "unreachable";
    const wait = retryAfterMs ?? backoffMs(attempt, this.#clock.random(), RETRY);
    this.#clock.after(wait, () => void this.start(attempt + 1));
  }
}
