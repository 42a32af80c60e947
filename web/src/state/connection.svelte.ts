/** How the connection is, in words for people; silent while it is fine or only just being made. */

import type { Clock } from "./ports.ts";

export const OFFLINE = "Offline. Messages will be sent later";

export interface ConnectionSettings {
  /** A connection made within this time is not worth a word. */
  quietMs: number;
}

export const CONNECTION_DEFAULTS: ConnectionSettings = { quietMs: 400 };

export class Connection {
  state = $state<"connecting" | "online" | "offline">("connecting");
  /** When the server last took this page in, by the server's clock, in ms. */
  since = $state(0);
  #quiet = $state(true);
  /** It is open, and an answer is late. */
  #silent = $state(false);
  readonly words = $derived.by(() => {
    if (this.state === "offline") return OFFLINE;
    const unsure = this.state === "connecting" ? !this.#quiet : this.#silent;
    return unsure ? "Connecting…" : "";
  });
  readonly #clock: Clock;
  readonly #settings: ConnectionSettings;
  #cancel: (() => void) | null = null;

  constructor(clock: Clock, settings: ConnectionSettings = CONNECTION_DEFAULTS) {
    this.#clock = clock;
    this.#settings = settings;
    this.connecting();
  }

  connecting(): void {
    this.state = "connecting";
    this.#silent = false;
    this.#quiet = true;
    this.#cancel?.();
    this.#cancel = this.#clock.after(this.#settings.quietMs, () => {
      this.#quiet = false;
    });
  }

  online(since: number): void {
    this.#cancel?.();
    this.since = since;
    this.state = "online";
  }

  /** Nobody answers, though nothing has ended. */
  silent(): void {
    this.#silent = true;
  }

  heard(): void {
    this.#silent = false;
  }

  offline(): void {
    this.#cancel?.();
    this.state = "offline";
  }
}
