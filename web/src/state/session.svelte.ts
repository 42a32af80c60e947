/** Who is logged in here, and getting in and out. */

import { asFailure, type Failure } from "../wire/failure.ts";
import type { Person, Profile, ProfileChange, Uid } from "../wire/wire.ts";
import { waitMs } from "./backoff.ts";
import type { Client, ClientOwner } from "./client.svelte.ts";
import { Connection } from "./connection.svelte.ts";
import type { Api, Clock, Keepsakes, Logins } from "./ports.ts";

/** "broken": something went wrong in the page itself, which asking the server again cannot help. */
export type Phase = "starting" | "unreachable" | "broken" | "out" | "in" | "open-mode";

/** A client for `uid`; what was kept of earlier logins is forgotten first if `fresh`. */
export type ClientMaker = (uid: string, fresh: boolean, owner: ClientOwner) => Promise<Client>;

const LOGGED_OUT = "You were logged out on this device.";
const RETRY = { firstMs: 500, maxMs: 8_000 };
/** A page asks so often who is here, in ms: its cookie ends some days after that, one at least. */
const RENEW_MS = 6 * 3_600_000;

export class Session {
  phase = $state<Phase>("starting");
  profile = $state.raw<Profile | null>(null);
  client = $state.raw<Client | null>(null);
  /** Why one is out, in plain words, until the next login; "" when it needs none. */
  notice = $state("");
  readonly api: Api;
  /** How the server is reached while nobody is known yet. */
  readonly connection: Connection;
  readonly #clock: Clock;
  readonly #logins: Logins;
  readonly #makeClient: ClientMaker;
  readonly #keepsakes: Keepsakes;
  /** Whose end the server was asked for. */
  #loggingOut: Client | null = null;
  #cancelRenewal = () => {};

  constructor(
    api: Api,
    clock: Clock,
    logins: Logins,
    makeClient: ClientMaker,
    keepsakes: Keepsakes,
  ) {
    this.api = api;
    this.connection = new Connection(clock);
    this.#clock = clock;
    this.#makeClient = makeClient;
    this.#keepsakes = keepsakes;
    this.#logins = logins;
    logins.heed((uid) => this.#overtaken(uid));
  }

  /** Finds out who is logged in; keeps trying while the server cannot be reached. */
  async start(): Promise<void> {
    await this.#find(false).catch((failure) => this.#stayOut(failure));
  }

  /** Rejects with a Failure. */
  async login(uid: string, password: string): Promise<void> {
    await this.#checkIn(() => this.api.login(uid, password));
  }

  /** Rejects with a Failure. */
  async register(uid: string, name: string, password: string): Promise<void> {
    await this.#checkIn(() => this.api.register(uid, name, password));
  }

  /** Ends the session; what this browser keeps of the conversations goes with it, and what this page
   * has not sent yet. */
  async logout(): Promise<void> {
    const { client } = this;
    this.#loggingOut = client;
    try {
      await this.api.logout();
    } catch (thrown) {
      const { code } = asFailure(thrown);
      if (code !== "unauthenticated" && this.client === client) throw thrown;
    } finally {
      this.#loggingOut = null;
    }
    if (this.client === client) await this.#giveUp(); // else the server has told it ahead of its answer
  }

  async #giveUp(): Promise<void> {
    const uid = this.profile?.uid;
    this.client?.outbox.giveUp();
    this.#leave("");
    if (uid === undefined) return;
    this.#keepsakes.forgetDrafts(uid);
    await this.#keepsakes.forgetLogs(uid);
  }

  /** Rejects with a Failure. */
  async changeProfile(change: ProfileChange): Promise<void> {
    this.#know(await this.api.changeMe(change));
  }

  #know(profile: Profile): void {
    this.profile = profile;
    this.client?.people.learn(profile);
  }

  async #checkIn(act: () => Promise<Person>): Promise<void> {
    try {
      const { uid } = await act();
      this.#logins.announce(uid);
    } catch (thrown) {
      throw this.#openModeOr(asFailure(thrown));
    }
    await this.#find(true);
  }

  /** Enters now, or once the server can be reached. Rejects with a Failure that waiting cannot help. */
  async #find(fresh: boolean, attempt = 0): Promise<void> {
    let profile: Profile;
    try {
      profile = await this.api.me();
    } catch (thrown) {
      const failure = asFailure(thrown);
      if (!failure.transient) throw failure;
      this.#tryLater(fresh, attempt, failure);
      return;
    }
    await this.#enter(profile, fresh).catch((thrown) => this.#break(thrown));
  }

  /** Whoever's session ended while no page was open is not known any more. */
  #stayOut({ code }: Failure): void {
    this.phase = code === "unauthenticated" ? "out" : "open-mode";
    if (this.phase === "out") this.#keepsakes.forgetAllLogs().catch(() => {}); // the next login does
  }

  /** The cause is for the console: it is nothing that whoever is here could do something about. */
  #break(cause: unknown): void {
    this.phase = "broken";
    console.error(cause);
  }

  /** A server in open mode has no logins to offer. */
  #openModeOr(failure: Failure): Failure {
    if (failure.code === "not_found") this.phase = "open-mode";
    return failure;
  }

  async #enter(profile: Profile, fresh: boolean): Promise<void> {
    const client = await this.#makeClient(profile.uid, fresh, {
      loggedOut: () => this.#ended(),
      changed: (change) => {
        if (this.profile) this.#know({ ...this.profile, ...change });
      },
    });
    this.#leave(""); // a login here and one with another page may have met
    this.client = client;
    this.#know(profile);
    this.notice = "";
    this.phase = "in";
    this.#renewLater();
    await client.start();
  }

  /** The server ended the session; it does so, too, where one logs out oneself. What was said is
   * forgotten, what was not sent yet is kept for the next login, unless one gave it up. */
  #ended(): void {
    if (this.client && this.client === this.#loggingOut) {
      this.#giveUp().catch(() => {}); // the next login forgets the logs
      return;
    }
    const uid = this.profile?.uid;
    this.#leave(LOGGED_OUT);
    if (uid) this.#keepsakes.forgetLogs(uid).catch(() => {}); // the next login does
  }

  /** With the browser's cookie this page is whose login another page tells: it ends for anybody else,
   * and begins where nobody was here. */
  #overtaken(uid: Uid): void {
    if (this.profile && this.profile.uid !== uid) this.#ended();
    else if (this.phase === "out") void this.start();
  }

  /** The browser would forget who is here while they are. Where nobody answers, the next time will do. */
  #renewLater(): void {
    this.#cancelRenewal = this.#clock.after(RENEW_MS, () => {
      this.#renewLater();
      this.api.me().catch(() => {});
    });
  }

  #leave(notice: string): void {
    this.#cancelRenewal();
    this.client?.stop();
    this.client = null;
    this.profile = null;
    this.notice = notice;
    this.phase = "out";
  }

  #tryLater(fresh: boolean, attempt: number, { retryAfterMs }: Failure): void {
    this.connection.offline();
    this.phase = "unreachable";
    const wait = waitMs(attempt, retryAfterMs, this.#clock.random(), RETRY);
    this.#clock.after(wait, () => {
      this.#find(fresh, attempt + 1).catch((failure) => this.#stayOut(failure));
    });
  }
}
