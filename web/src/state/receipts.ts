/** The own receipts: coalesced, sent in the background, sent again until they are acked. */

import { addressed } from "../wire/wire.ts";
import type { Conversation } from "./conversation.svelte.ts";
import type { Channel, Clock } from "./ports.ts";

export interface ReceiptSettings {
  /** How long positions are gathered before one receipt tells them. */
  gatherMs: number;
  retryMs: number;
}

export const RECEIPT_DEFAULTS: ReceiptSettings = { gatherMs: 150, retryMs: 5_000 };

interface Due {
  conv: Conversation;
  delivered: number;
  displayed: number;
}

export class ReceiptSender {
  readonly #channel: Pick<Channel, "request">;
  readonly #clock: Clock;
  readonly #settings: ReceiptSettings;
  readonly #due = new Map<string, Due>();
  #live = false;
  #cancel: (() => void) | null = null;

  constructor(
    channel: Pick<Channel, "request">,
    clock: Clock,
    settings: ReceiptSettings = RECEIPT_DEFAULTS,
  ) {
    this.#channel = channel;
    this.#clock = clock;
    this.#settings = settings;
  }

  /** Everything up to `seq` has arrived here. */
  arrived(conv: Conversation, seq: number): void {
    if (seq <= conv.delivered) return;
    conv.moveOwn({ delivered: seq, displayed: 0, N: 0 });
    this.#owe(conv, { delivered: seq, displayed: 0 });
  }

  /** Everything up to `seq` has been on the screen of somebody who looks. */
  seen(conv: Conversation, seq: number): void {
    if (seq <= conv.displayed) return;
    conv.moveOwn({ delivered: seq, displayed: seq, N: conv.countAt(seq) });
    this.#owe(conv, { delivered: seq, displayed: seq });
  }

  resume(): void {
    this.#live = true;
    this.#schedule(0);
  }

  pause(): void {
    this.#live = false;
    this.#cancel?.();
    this.#cancel = null;
  }

  #owe(conv: Conversation, place: { delivered: number; displayed: number }): void {
    const due = this.#due.get(conv.id) ?? { conv, delivered: 0, displayed: 0 };
    due.delivered = Math.max(due.delivered, place.delivered);
    due.displayed = Math.max(due.displayed, place.displayed);
    this.#due.set(conv.id, due);
    this.#schedule(this.#settings.gatherMs);
  }

  #schedule(ms: number): void {
    if (!this.#live || this.#cancel || this.#due.size === 0) return;
    this.#cancel = this.#clock.after(ms, () => {
      this.#cancel = null;
      for (const due of [...this.#due.values()]) void this.#tell(due);
    });
  }

  async #tell(due: Due): Promise<void> {
    this.#due.delete(due.conv.id);
    try {
      if (due.delivered > due.displayed) await this.#send(due.conv, "delivery", due.delivered);
      if (due.displayed > 0) await this.#send(due.conv, "display", due.displayed);
    } catch (failure) {
      if ((failure as { transient?: boolean }).transient) this.#again(due);
    }
  }

  #again(due: Due): void {
    const newer = this.#due.get(due.conv.id);
    this.#due.set(due.conv.id, {
      conv: due.conv,
      delivered: Math.max(due.delivered, newer?.delivered ?? 0),
      displayed: Math.max(due.displayed, newer?.displayed ?? 0),
    });
    this.#schedule(this.#settings.retryMs);
  }

  async #send(conv: Conversation, kind: "delivery" | "display", seq: number): Promise<void> {
    await this.#channel.request("chat", {
      EvtType: kind,
      ...addressed(conv.me, conv.id),
      MsgID: "",
      Timestamp: Math.floor(this.#clock.now() / 1000),
      Body: "",
      ConvID: conv.id,
      Seq: seq,
    });
  }
}
