/** The channel over socket.io-client: WebSocket first, reconnecting by itself, acks as promises. */

import { io, type ManagerOptions, type Socket } from "socket.io-client";
import { type BackoffSettings, Patience } from "../state/backoff.ts";
import type { Channel, ChannelListener, ChannelRequests, Clock, Sent } from "../state/ports.ts";
import { Failure, TIMED_OUT, UNREACHABLE } from "../wire/failure.ts";
import type { Ack, WireError } from "../wire/wire.ts";

/** What the browser knows of its network. It may be wrong: this machine's own server needs none. */
export interface Network {
  readonly onLine: boolean;
  /** Calls `back` and `gone` as the network comes and goes; returns how to stop. */
  follow(back: () => void, gone: () => void): () => void;
}

export interface SocketSettings {
  url: string;
  transports: NonNullable<ManagerOptions["transports"]>;
  ackTimeoutMs: number;
  /** An answer that takes longer is late. */
  lateMs: number;
  connectTimeoutMs: number;
  backoff: BackoffSettings;
}

export const SOCKET_DEFAULTS: SocketSettings = {
  url: "/",
  transports: ["websocket", "polling"],
  ackTimeoutMs: 15_000,
  lateMs: 5_000,
  connectTimeoutMs: 10_000,
  backoff: { firstMs: 500, maxMs: 8_000 },
};

export class SocketChannel implements Channel {
  readonly #clock: Clock;
  readonly #network: Network;
  readonly #settings: SocketSettings;
  #socket: Socket | null = null;
  #listener: ChannelListener | null = null;
  readonly #patience: Patience;
  #cancelRetry: (() => void) | null = null;
  /** The next try waits because the server asked for it. */
  #held = false;
  #unfollow: (() => void) | null = null;
  #silent = false;
  /** What came as `chat` and was not told yet: what comes together is told in one turn, and drawn once. */
  readonly #events: unknown[] = [];

  constructor(clock: Clock, network: Network, settings: SocketSettings = SOCKET_DEFAULTS) {
    this.#clock = clock;
    this.#network = network;
    this.#settings = settings;
    this.#patience = new Patience(settings.backoff, clock);
  }

  open(listener: ChannelListener): void {
    this.close();
    this.#listener = listener;
    const socket = io(this.#settings.url, {
      transports: this.#settings.transports,
      tryAllTransports: true,
      // Reconnecting is done below: it honours `retry_after_ms` and what the browser knows.
      reconnection: false,
      forceNew: true,
      timeout: this.#settings.connectTimeoutMs,
    });
    this.#socket = socket;
    this.#listen(socket, listener);
    this.#unfollow = this.#network.follow(
      () => this.#wake(),
      () => this.#sleep(),
    );
  }

  close(): void {
    this.#unfollow?.();
    this.#unfollow = null;
    this.#cancelRetry?.();
    this.#cancelRetry = null;
    this.#socket?.off();
    this.#socket?.disconnect();
    this.#socket = null;
    this.#listener = null;
    this.#events.length = 0;
  }

  restart(delayMs?: number): void {
    this.#hold(delayMs);
    if (this.#socket?.connected) this.#socket.disconnect();
    else this.#retry();
  }

  async request<Name extends keyof ChannelRequests>(
    name: Name,
    body: ChannelRequests[Name],
  ): Promise<Sent> {
    const socket = this.#socket;
    if (!socket?.connected) throw new Failure(UNREACHABLE, "not connected");
    const inTime = this.#clock.after(this.#settings.lateMs, () => this.#wonder(socket));
    const ack = await new Promise<Ack>((resolve, reject) => {
      const bounded = socket.timeout(this.#settings.ackTimeoutMs);
      bounded.emit(name, body, (failed: Error | null, answer: Ack) => {
        inTime();
        if (failed) {
          reject(new Failure(TIMED_OUT, "no answer in time"));
          return;
        }
        this.#tell(); // now: what comes with the same answer to a poll comes after the ack
        resolve(answer);
      });
    });
    return checked(ack);
  }

  /** Nothing tells a line that is dead from one that is quiet, but an answer that does not come. */
  #wonder(socket: Socket): void {
    if (this.#silent || socket !== this.#socket || !socket.connected) return;
    this.#silent = true;
    this.#listener?.silent();
    socket.io.engine.once("packet", () => {
      this.#silent = false;
      if (socket.connected) this.#listener?.heard();
    });
  }

  #listen(socket: Socket, listener: ChannelListener): void {
    socket.on("connect", () => {
      this.#patience.began();
      listener.connected();
    });
    socket.on("disconnect", () => {
      this.#patience.ended();
      this.#silent = false;
      if (socket.io.engine.transport.name === "websocket") {
        socket.io.opts.transports = this.#settings.transports;
      }
      // What was asked for since the server fell silent would be sent ahead of the next `join`.
      socket.sendBuffer = [];
      this.#tell();
      listener.disconnected();
      if (!this.#network.onLine) listener.failed();
      this.#retry();
    });
    socket.on("connect_error", (error: Error & { data?: Partial<WireError> }) => {
      if (error.data?.code === "unauthenticated") {
        listener.unauthenticated();
        return;
      }
      if (error.message === "timeout") this.#turn(socket);
      this.#hold(error.data?.retry_after_ms);
      listener.failed();
      this.#retry();
    });
    socket.on("chat", (event: unknown) => {
      if (this.#events.push(event) === 1) this.#clock.soon(() => this.#tell());
    });
    socket.on("error", (event: { error?: WireError }) => this.#refused(event?.error));
  }

  /** What hangs, as where a proxy swallows the handshake, takes the whole try along, unlike what fails:
   * the next one begins with the other transport, and so do all until a WebSocket comes through. */
  #turn(socket: Socket): void {
    const { opts } = socket.io;
    opts.transports = (opts.transports ?? this.#settings.transports).slice().reverse();
  }

  /** Whatever else comes is told after the events that came before it. What the listener
   * cannot take holds up nothing. */
  #tell(): void {
    while (this.#events.length > 0) {
      try {
        this.#listener?.chat(this.#events.shift());
      } catch (cause) {
        this.#clock.soon(() => {
          throw cause; // for the console
        });
      }
    }
  }

  #refused(error: WireError | undefined): void {
    if (!error) return;
    if (error.code === "session_revoked") this.#listener?.unauthenticated();
    else this.#hold(error.retry_after_ms);
  }

  #hold(ms = 0): void {
    this.#patience.hold(ms);
    if (ms > 0) this.#held = true;
  }

  #retry(): void {
    if (!this.#socket || this.#cancelRetry) return;
    this.#cancelRetry = this.#clock.after(this.#patience.next(), () => this.#retryNow());
  }

  #retryNow(): void {
    const socket = this.#socket;
    if (!socket || socket.connected) return;
    if (!this.#network.onLine) this.#listener?.failed();
    this.#cancelRetry?.();
    this.#cancelRetry = null;
    this.#held = false;
    socket.connect();
  }

  /** What was tried before may hang; what the server wants to wait for says nothing of the network. */
  #wake(): void {
    if (this.#socket?.connected || this.#held) return;
    this.#socket?.disconnect();
    this.#retryNow();
  }

  /** What is open hangs, and so does what is being opened, of whose end nobody would tell. */
  #sleep(): void {
    this.#socket?.disconnect();
    this.#listener?.failed();
    this.#retry();
  }
}

function checked(ack: Ack): Sent {
  if (ack?.ok === true) return ack;
  if (ack?.error) throw Failure.ofWire(ack.error);
  throw new Failure("internal", "an answer without meaning");
}
