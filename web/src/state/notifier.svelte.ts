/** Tells of messages outside the page while nobody looks at it or at another of this browser, if that is
 * wanted there. */

import { Failure } from "../wire/failure.ts";
import type { ConvID } from "../wire/wire.ts";
import type { Attention } from "./attention.svelte.ts";
import type { Elsewhere } from "./elsewhere.svelte.ts";
import { excerpt } from "./wording.ts";

const KEY = "webchat:notifications";
const WANTED = "on";

export class Notifier {
  #wanted = $state(false);
  readonly #offer: typeof Notification | undefined;
  readonly #storage: Storage | null;
  readonly #attention: Pick<Attention, "present">;
  readonly #elsewhere: Pick<Elsewhere, "present">;
  readonly #choose: (conv: ConvID) => void;
  readonly #open = new Map<ConvID, Notification>();

  /** `offer`: undefined where the browser has none. `choose`: one was chosen, of `conv`. */
  constructor(
    offer: typeof Notification | undefined,
    storage: Storage | null,
    attention: Pick<Attention, "present">,
    elsewhere: Pick<Elsewhere, "present">,
    choose: (conv: ConvID) => void,
  ) {
    this.#offer = offer;
    this.#storage = storage;
    this.#attention = attention;
    this.#elsewhere = elsewhere;
    this.#choose = choose;
    this.#recall();
  }

  /** Holds to what is wanted with other pages of this browser. */
  follow(view: Window): void {
    view.addEventListener("storage", ({ key }) => {
      if (key === KEY || key === null) this.#recall();
    });
  }

  #recall(): void {
    this.#wanted = this.#storage?.getItem(KEY) === WANTED;
  }

  /** Whether there can be any here. */
  get offered(): boolean {
    return this.#offer !== undefined;
  }

  /** Whether messages are told of, as far as the browser lets them be. */
  get on(): boolean {
    return this.#wanted && this.#offer?.permission === "granted";
  }

  /** Has to come of a click. Rejects with a Failure where the browser does not allow it. */
  async want(wanted: boolean): Promise<void> {
    if (wanted) this.#check();
    if (wanted && (await this.#offer?.requestPermission()) !== "granted") {
      throw new Failure("denied", "Your browser does not allow notifications from this page");
    }
    this.#wanted = wanted;
    try {
      if (wanted) this.#storage?.setItem(KEY, WANTED);
      else this.#storage?.removeItem(KEY);
    } catch {
      // Without room it is asked for again on the next page.
    }
  }

  /** Some browsers, Chrome on Android for one, have it in name only, and say so when it is tried.
   * Nobody sees it where they have not been asked yet. */
  #check(): void {
    try {
      if (this.#offer) new this.#offer("webchat", { silent: true }).close();
    } catch {
      throw new Failure("denied", "This browser cannot show notifications from this page");
    }
  }

  /** Somebody looks at this page, or at another of this browser. */
  get watched(): boolean {
    return this.#attention.present || this.#elsewhere.present;
  }

  /** Tells of news in `conv`; the newest takes the place of the one before. */
  tell(conv: ConvID, name: string, text: string): void {
    if (!this.#offer || !this.on || this.watched) return;
    const body = excerpt(text);
    try {
      const notification = new this.#offer(name, { body, tag: conv });
      notification.onclick = () => {
        notification.close();
        this.#choose(conv);
      };
      this.#open.set(conv, notification);
    } catch {
      this.#wanted = false; // it was kept before that was found out
    }
  }

  /** Whoever looks needs no telling any more. */
  clear(): void {
    for (const notification of this.#open.values()) notification.close();
    this.#open.clear();
  }
}
