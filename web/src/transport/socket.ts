/** The channel over socket.io-client: WebSocket first, reconnecting by itself, acks as promises. */

import { io, type Socket } from "socket.io-client";
import { type BackoffSettings, Patience } from "../state/backoff.ts";
import type { Channel, ChannelListener, ChannelRequests, Clock, Sent } from "../state/ports.ts";
import { Failure, TIMED_OUT, UNREACHABLE } from "../wire/failure.ts";
import type { Ack, WireError } from "../wire/wire.ts";

export interface SocketSettings {
  ackTimeoutMs: number;
  connectTimeoutMs: number;
  backoff: BackoffSettings;
}

export const SOCKET_DEFAULTS: SocketSettings = {
  ackTimeoutMs: 15_000,
  connectTimeoutMs: 10_000,
  backoff: { firstMs: 500, maxMs: 8_000 },
};

export class SocketChannel implements Channel {
  readonly #clock: Clock;
  readonly #settings: SocketSettings;
  #socket: Socket | null = null;
  #listener: ChannelListener | null = null;
  readonly #patience: Patience;
  #cancelRetry: (() => void) | null = null;
  readonly #wake = () => this.#retryNow();
  readonly #sleep = () => this.#socket?.disconnect();

  constructor(clock: Clock, settings: SocketSettings = SOCKET_DEFAULTS) {
    this.#clock = clock;
    this.#settings = settings;
    this.#patience = new Patience(settings.backoff, clock);
  }

  open(listener: ChannelListener): void {
    this.close();
    this.#listener = listener;
    const socket = io({
      transports: ["websocket", "polling"],
      tryAllTransports: true,
      // Reconnecting is done below: it honours `retry_after_ms` and what the browser knows.
      reconnection: false,
      forceNew: true,
      timeout: this.#settings.connectTimeoutMs,
    });
    this.#socket = socket;
    this.#listen(socket, listener);
    addEventListener("online", this.#wake);
    addEventListener("offline", this.#sleep);
  }

  close(): void {
    removeEventListener("online", this.#wake);
    removeEventListener("offline", this.#sleep);
    this.#cancelRetry?.();
    this.#cancelRetry = null;
    this.#socket?.off();
    this.#socket?.disconnect();
    this.#socket = null;
    this.#listener = null;
  }

  restart(delayMs?: number): void {
    this.#patience.hold(delayMs ?? 0);
    if (this.#socket?.connected) this.#socket.disconnect();
    else this.#retry();
  }

  async request<Name extends keyof ChannelRequests>(
    name: Name,
    body: ChannelRequests[Name],
  ): Promise<Sent> {
    const socket = this.#socket;
    if (!socket?.connected) throw new Failure(UNREACHABLE, "not connected");
    const ack = await socket
      .timeout(this.#settings.ackTimeoutMs)
      .emitWithAck(name, body)
      .catch(() => {
        throw new Failure(TIMED_OUT, "no answer in time");
      });
    return checked(ack as Ack);
  }

  #listen(socket: Socket, listener: ChannelListener): void {
    socket.on("connect", () => {
      this.#patience.began();
      listener.connected();
    });
    socket.on("disconnect", () => {
      this.#patience.ended();
      listener.disconnected();
      if (!navigator.onLine) listener.failed();
      this.#retry();
    });
    socket.on("connect_error", (error: Error & { data?: { code?: string } }) => {
      if (error.data?.code === "unauthenticated") {
        listener.unauthenticated();
        return;
      }
      listener.failed();
      this.#retry();
    });
    socket.on("chat", (event: unknown) => listener.chat(event));
    socket.on("error", (event: { error?: WireError }) => this.#refused(event?.error));
  }

  #refused(error: WireError | undefined): void {
    if (!error) return;
    if (error.code === "session_revoked") this.#listener?.unauthenticated();
    else this.#patience.hold(error.retry_after_ms ?? 0);
    this.#listener?.error(error);
  }

  #retry(): void {
    if (!this.#socket || this.#cancelRetry) return;
    this.#cancelRetry = this.#clock.after(this.#patience.next(), () => this.#retryNow());
  }

  #retryNow(): void {
    const socket = this.#socket;
    if (!socket || socket.connected) return;
    if (!navigator.onLine) {
      this.#listener?.failed();
      return; // the browser tells when it is back
    }
    this.#cancelRetry?.();
    this.#cancelRetry = null;
    socket.connect();
  }
}

function checked(ack: Ack): Sent {
  if (ack?.ok === true) return ack;
  if (ack?.error) throw Failure.ofWire(ack.error);
  throw new Failure("internal", "an answer without meaning");
}
