/** How the connection is, in words for people; silent while it is fine or only just being made. */

import type { Clock } from "./ports.ts";
import { wait } from "./wording.ts";

export const OFFLINE = "Offline. Messages will be sent later";

export interface ConnectionSettings {
  /** A connection made within this time is not worth a word. */
  quietMs: number;
}

export const CONNECTION_DEFAULTS: ConnectionSettings = { quietMs: 400 };

export class Connection {
  state = $state<"connecting" | "online" | "offline">("connecting");
  #quiet = $state(true);
  /** It is open, and an answer is late. */
  #silent = $state(false);
  /** Offline: when it is tried again, where that is worth a word. */
  #next = $state("");
  readonly words = $derived.by(() => {
    if (this.state === "offline") return OFFLINE + this.#next;
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

  online(): void {
    this.#cancel?.();
    this.state = "online";
  }

  /** Nobody answers, though nothing has ended. */
  silent(): void {
    this.#silent = true;
  }

  heard(): void {
    this.#silent = false;
  }

  /** `nextMs`: until the next try, where the server asked to wait. */
  offline(nextMs?: number): void {
    this.#cancel?.();
    this.#next = nextMs === undefined ? "" : `. Trying again ${wait(nextMs)}`;
    this.state = "offline";
  }
}
