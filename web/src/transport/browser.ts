/** The browser's clock, randomness, network, pages, logins and looks as ports. */

import type { Clock, Logins, Looks, Pages } from "../state/ports.ts";
import type { Network } from "./socket.ts";

export const browserClock: Clock = {
  now: () => Date.now(),
  after: (ms, act) => {
    const timer = setTimeout(act, ms);
    return () => clearTimeout(timer);
  },
  soon: (act) => {
    const { port1, port2 } = new MessageChannel(); // timers take their time where nobody looks
    port1.onmessage = () => {
      port1.close();
      act();
    };
    port2.postMessage(null);
  },
  random: () => Math.random(),
  uuid: randomUuid,
};

export const browserNetwork: Network = {
  get onLine() {
    return navigator.onLine;
  },
  follow: (back, gone) => {
    addEventListener("online", back);
    addEventListener("offline", gone);
    return () => {
      removeEventListener("online", back);
      removeEventListener("offline", gone);
    };
  },
};

/** A random UUID (RFC 9562, version 4); `crypto.randomUUID` is missing on plain http addresses. */
export function randomUuid(): string {
  if (typeof crypto.randomUUID === "function") return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

const DEVICE = "webchat:device";

/** What this browser is called as a device; without room to keep it, that lasts as long as the page. */
export function deviceOf(storage: Storage | null): string {
  const kept = storage?.getItem(DEVICE);
  if (kept) return kept;
  const own = randomUuid();
  try {
    storage?.setItem(DEVICE, own);
  } catch {
    // The next page is another device, and catches up like one.
  }
  return own;
}

/** Pages of this browser as holders of Web Locks: a lock is free when its page is gone. */
export class BrowserPages implements Pages {
  readonly own = randomUuid();
  readonly #others = new BroadcastChannel("webchat-pages");

  constructor() {
    void navigator.locks?.request(lockOf(this.own), () => new Promise(() => {}));
  }

  announce(): void {
    this.#others.postMessage(this.own);
  }

  /** Without locks a page that is open is not known from one that is gone: nobody is heeded. */
  heed(act: (owner: string) => void): void {
    if (navigator.locks) this.#others.onmessage = ({ data }: MessageEvent<string>) => act(data);
  }

  whenGone(owner: string, act: () => Promise<void>): void {
    if (navigator.locks) void navigator.locks.request(lockOf(owner), act);
    else void act();
  }
}

/** Logins told from page to page. */
export class BrowserLogins implements Logins {
  readonly #others = new BroadcastChannel("webchat-logins");

  announce(uid: string): void {
    this.#others.postMessage(uid);
  }

  heed(act: (uid: string) => void): void {
    this.#others.onmessage = ({ data }: MessageEvent<string>) => act(data);
  }
}

interface Look {
  page: string;
  present: boolean;
}

/** Looks at the page `own`, and at others, told from page to page. */
export class BrowserLooks implements Looks {
  readonly #own: string;
  readonly #others = new BroadcastChannel("webchat-looks");

  constructor(own: string) {
    this.#own = own;
  }

  announce(present: boolean): void {
    const look: Look = { page: this.#own, present };
    this.#others.postMessage(look);
  }

  heed(act: (page: string, present: boolean) => void): void {
    this.#others.onmessage = ({ data }: MessageEvent<Look>) => act(data.page, data.present);
  }
}

function lockOf(page: string): string {
  return `webchat-page:${page}`;
}
