/** The channel keeps trying, says how it stands, and sends nothing ahead of a new connection's join. */

import { Fetch, WebSocket } from "socket.io-client";
import { afterEach, describe, expect, test, vi } from "vitest";
import { SOCKET_DEFAULTS, SocketChannel } from "../src/transport/socket.ts";
import { Failure } from "../src/wire/failure.ts";
import type { Outgoing } from "../src/wire/wire.ts";
import { ManualClock } from "./fakes.ts";

/** Lets the client do what it has put off to the loop's next turn. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** One try to connect, whose other end is the test. */
class Wire {
  /** What the server says to CONNECT. */
  answer = '40{"sid":"s"}';
  onopen = () => {};
  onclose = () => {};
  onerror = () => {};
  onmessage = (_: { data: string }) => {};
  readonly sent: string[] = [];

  send(data: string): void {
    this.sent.push(data);
    if (data === "2probe") queueMicrotask(() => this.onmessage({ data: "3probe" }));
    if (data === "40") queueMicrotask(() => this.onmessage({ data: this.answer }));
  }

  /** Either end closes it. */
  close(): void {
    this.onclose();
  }

  /** There is no server, or it goes without a word. */
  async fail(): Promise<void> {
    this.onerror();
    this.onclose();
    await turn();
  }

  /** The server takes the connection, and is silent for `silentMs` at most. */
  async accept(silentMs = 60_000): Promise<void> {
    const pings = { pingInterval: silentMs, pingTimeout: 0, maxPayload: 1_000_000 };
    this.onopen();
    this.onmessage({ data: `0${JSON.stringify({ sid: "e", upgrades: [], ...pings })}` });
    await turn();
  }
}

class FakeNetwork {
  onLine = true;
  #back = () => {};
  #gone = () => {};

  follow(back: () => void, gone: () => void): () => void {
    [this.#back, this.#gone] = [back, gone];
    return () => {};
  }

  change(onLine: boolean): void {
    this.onLine = onLine;
    if (onLine) this.#back();
    else this.#gone();
  }
}

/** A channel that is being opened; `told`: what it said, `tries`: how it was to connect, in order. */
async function setup({ polling = false } = {}) {
  const wires: Wire[] = [];
  const polls: Fetch[] = [];
  const tries: string[] = [];
  class Transport extends WebSocket {
    override createSocket(): Wire {
      const wire = new Wire();
      wires.push(wire);
      tries.push("websocket");
      return wire;
    }
  }
  /** Whose answers are the test's to give, by `onData`. */
  class Polling extends Fetch {
    override doOpen(): void {
      polls.push(this);
      tries.push("polling");
      super.doOpen();
    }
    override doPoll(): void {}
    override doWrite(_: string, done: () => void): void {
      queueMicrotask(done);
    }
  }
  const clock = new ManualClock();
  const network = new FakeNetwork();
  const transports = polling ? [Transport, Polling] : [Transport];
  const settings = { ...SOCKET_DEFAULTS, url: "http://server", transports };
  const channel = new SocketChannel(clock, network, settings);
  const told: string[] = [];
  const hooks = { connected: () => {}, chat: (_: unknown) => {} };
  channel.open({
    connected: () => {
      told.push("connected");
      hooks.connected();
    },
    disconnected: () => told.push("disconnected"),
    failed: () => told.push("failed"),
    silent: () => told.push("silent"),
    heard: () => told.push("heard"),
    unauthenticated: () => {},
    chat: (event) => {
      hooks.chat(event);
      told.push(`chat ${event}`);
    },
  });
  await turn();
  const wire = () => wires.at(-1) ?? new Wire();
  /** The server answers a poll. */
  const answer = async (data: string) => {
    polls.at(-1)?.onData(data);
    await turn();
  };
  const pass = async (ms: number) => {
    await clock.pass(ms);
    await turn();
  };
  return { channel, network, told, tries, hooks, wires, wire, answer, pass };
}

describe("without a network, as the browser has it", () => {
  test("it tries all the same, at the pace of any other outage", async () => {
    const { channel, network, told, wires, wire, pass } = await setup();
    network.onLine = false;
    await wire().fail();
    for (const ms of [250, 500]) {
      await pass(ms - 1);
      const before = wires.length;
      await pass(1);
      expect(wires.length).toBe(before + 1);
      await wire().fail();
    }
    expect(new Set(told)).toEqual(new Set(["failed"]));
    await pass(1_000);
    await wire().accept();
    expect(told.at(-1)).toBe("connected");
    channel.close();
  });

  test("a try that was under way has failed, others follow, and at once when it is back", async () => {
    const { channel, network, told, wires, wire, pass } = await setup();
    await wire().accept();
    await wire().fail();
    await pass(1_000);
    expect([wires.length, told]).toEqual([2, ["connected", "disconnected"]]);
    network.change(false);
    expect(told.slice(2)).toEqual(["failed"]);
    await pass(1_000);
    expect(wires.length).toBe(3);
    network.change(true);
    await turn();
    await wire().accept();
    expect([wires.length, told.at(-1)]).toEqual([4, "connected"]);
    channel.close();
  });
});

describe("a handshake that hangs", () => {
  afterEach(() => void vi.useRealTimers());

  test("gives way to polling, which is tried first until a WebSocket has come through", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { channel, told, tries, wire, answer, pass } = await setup({ polling: true });
    const hang = async () => {
      vi.advanceTimersByTime(SOCKET_DEFAULTS.connectTimeoutMs);
      await pass(8_000);
    };
    const accept = async (upgrades: string[]) => {
      const pings = { pingInterval: 60_000, pingTimeout: 0, maxPayload: 1_000_000 };
      await answer(`0${JSON.stringify({ sid: "e", upgrades, ...pings })}`);
      await answer('40{"sid":"s"}');
    };
    await hang();
    await accept([]);
    expect([tries, told]).toEqual([
      ["websocket", "polling"],
      ["failed", "connected"],
    ]);
    await answer("1"); // the server closes
    await pass(8_000);
    await accept(["websocket"]);
    expect(tries.slice(2)).toEqual(["polling", "websocket"]);
    wire().onopen();
    await turn();
    await answer("6");
    await wire().fail();
    await pass(8_000);
    expect(tries.slice(4)).toEqual(["websocket"]);
    await wire().accept();
    expect(told.at(-1)).toBe("connected");
    channel.close();
  });

  test("by polling, too, gives way to the other", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { channel, tries, pass } = await setup({ polling: true });
    for (const way of ["websocket", "polling", "websocket"]) {
      expect(tries.at(-1)).toBe(way);
      vi.advanceTimersByTime(SOCKET_DEFAULTS.connectTimeoutMs);
      await pass(8_000);
    }
    channel.close();
  });
});

describe("a server that refuses the connection", () => {
  /** The server answers CONNECT with that code, and that it is to be left alone for `ms`. */
  async function refuse(wire: Wire, code: string, ms?: number): Promise<void> {
    const data = { code, retry_after_ms: ms };
    wire.answer = `44${JSON.stringify({ message: "no", data })}`;
    await wire.accept();
  }

  test("is left alone for as long as it asks, each time anew", async () => {
    const { channel, told, wires, wire, pass } = await setup();
    await refuse(wire(), "rate_limited", 10_000);
    await pass(10_249);
    expect(wires.length).toBe(1);
    await pass(1);
    expect(wires.length).toBe(2);
    await refuse(wire(), "rate_limited", 3_000);
    await pass(3_499);
    expect(wires.length).toBe(2);
    await pass(1);
    await wire().accept();
    expect(told).toEqual(["failed", "failed", "connected"]);
    channel.close();
  });

  test("is left alone as long when the network comes back meanwhile, and no longer", async () => {
    const { channel, network, wires, wire, pass } = await setup();
    await refuse(wire(), "rate_limited", 10_000);
    network.change(false);
    network.change(true);
    await pass(10_249);
    expect(wires.length).toBe(1);
    await pass(1);
    expect(wires.length).toBe(2);
    await wire().fail();
    network.change(true);
    await pass(0);
    expect(wires.length).toBe(3);
    channel.close();
  });

  test("and does not say for how long is asked again at the usual pace", async () => {
    const { channel, told, wires, wire, pass } = await setup();
    await refuse(wire(), "unavailable");
    await pass(250);
    expect([told, wires.length]).toEqual([["failed"], 2]);
    channel.close();
  });
});

describe("events", () => {
  const frames = (...events: number[]) => events.map((event) => `42["chat",${event}]`);

  /** A channel that is connected; `come` has frames come, each in a turn of its own. */
  async function connected() {
    const page = await setup();
    await page.wire().accept();
    page.told.length = 0;
    const come = async (...data: string[]) => {
      for (const each of data) {
        page.wire().onmessage({ data: each });
        await turn();
      }
    };
    return { ...page, come };
  }

  test("that come together are told in one turn", async () => {
    const { channel, told, come, pass } = await connected();
    await come(...frames(1, 2, 3));
    expect(told).toEqual([]);
    await pass(0);
    expect(told).toEqual(["chat 1", "chat 2", "chat 3"]);
    await come(...frames(4));
    await pass(0);
    expect(told.slice(3)).toEqual(["chat 4"]);
    channel.close();
  });

  test("are told ahead of the ack, and of the end, that came after them", async () => {
    const { channel, told, wire, come, pass } = await connected();
    const sent = channel.request("chat", { EvtType: "message" } as Outgoing);
    void sent.then(() => told.push("acked"));
    await come(...frames(1, 2), '430[{"ok":true}]', ...frames(3));
    expect(told).toEqual(["chat 1", "chat 2", "acked"]);
    await wire().fail();
    await pass(0);
    expect(told.slice(3)).toEqual(["chat 3", "disconnected"]);
    channel.close();
  });

  test("that come with an ack, and behind it, are told behind it", async () => {
    const { channel, told, wire, pass } = await connected();
    const sent = channel.request("chat", { EvtType: "message" } as Outgoing);
    void sent.then(() => told.push("acked"));
    for (const data of ['430[{"ok":true}]', ...frames(1)]) wire().onmessage({ data });
    await turn();
    await pass(0);
    expect(told).toEqual(["acked", "chat 1"]);
    channel.close();
  });

  test("of which one cannot be taken are told all the same, and so is what comes after them", async () => {
    const { channel, hooks, told, wire, come, pass } = await connected();
    hooks.chat = (event) => {
      if (event === 1) throw new Error("what is this?");
    };
    await come(...frames(1, 2));
    await wire().fail();
    expect(told).toEqual(["chat 2", "disconnected"]);
    await expect(pass(0)).rejects.toThrow("what is this?");
    channel.close();
  });

  test("that are not told when the channel is closed are told to nobody", async () => {
    const { channel, told, come, pass } = await connected();
    await come(...frames(1));
    channel.close();
    await pass(0);
    expect(told).toEqual([]);
  });
});

describe("a server that has fallen silent", () => {
  test("gets nothing, with the next connection either, that it was asked for meanwhile", async () => {
    const { channel, hooks, wire, pass } = await setup();
    const asked: Promise<unknown>[] = [];
    hooks.connected = () => {
      const receipt = { EvtType: "display" } as Outgoing;
      asked.push(channel.request("chat", receipt).catch((thrown) => thrown));
      hooks.connected = () => {};
    };
    await wire().accept(-1);
    const [answer] = await Promise.all(asked);
    expect(answer).toBeInstanceOf(Failure);
    expect((answer as Failure).transient).toBe(true);
    await pass(1_000);
    await wire().accept();
    expect(wire().sent).toEqual(["40"]);
    channel.close();
  });

  test("is told of when an answer is late, until it is heard again", async () => {
    const { channel, told, wire, pass } = await setup();
    await wire().accept();
    const answer = channel.request("chat", { EvtType: "message" } as Outgoing);
    await pass(4_999);
    expect(told).toEqual(["connected"]);
    await pass(1);
    expect(told).toEqual(["connected", "silent"]);
    wire().onmessage({ data: '430[{"ok":true}]' });
    expect(await answer).toEqual({ ok: true });
    expect(told).toEqual(["connected", "silent", "heard"]);
    channel.close();
  });

  test("is not told of when its answers come in time, or after the connection was lost", async () => {
    const { channel, told, wire, pass } = await setup();
    await wire().accept();
    const answer = channel.request("chat", { EvtType: "message" } as Outgoing);
    wire().onmessage({ data: '430[{"ok":true}]' });
    await answer;
    const lost = channel.request("chat", { EvtType: "message" } as Outgoing).catch(() => {});
    await wire().fail();
    await lost;
    await pass(5_000);
    expect(told).not.toContain("silent");
    channel.close();
  });
});
