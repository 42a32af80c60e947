/** The log's lines: days, what is new, who stands close to whom. */

import { describe, expect, test } from "vitest";
import { linesOf, pendingLines, type Scene, tabbedLine } from "../src/components/lines.ts";
import { Conversation } from "../src/state/conversation.svelte.ts";
import type { Pending } from "../src/state/ports.ts";
import { changing } from "../src/state/timeline.ts";
import type { Entry } from "../src/wire/wire.ts";
import { entry } from "./fakes.ts";

const DAY_MS = 86_400_000;
const noon = new Date(2026, 2, 20, 12).getTime();

function sceneOf(entries: Entry[], pending: Pending[] = []): Scene {
  return {
    conversation: new Conversation("dm:ann:bob", "ann"),
    nameOf: (uid) => uid,
    entryAt: (seq) => entries.find((each) => each.Seq === seq),
    changing: changing(pending),
  };
}

const waiting: Pending = {
  id: "mine",
  conv: "dm:ann:bob",
  text: "hi",
  at: noon,
  order: 1,
  owner: "page",
};

function kinds(entries: Entry[], newAfter: number | null = null): string[] {
  return linesOf(entries, sceneOf(entries), newAfter).map((line) => {
    if (line.kind !== "message") return line.kind;
    return `${line.message.own ? "own" : "other"}${line.message.joined ? " joined" : ""}`;
  });
}

describe("lines", () => {
  test("a day begins with its name", () => {
    const entries = [
      entry(1, { StoredAt: noon }),
      entry(2, { StoredAt: noon + 1 }),
      entry(3, { StoredAt: noon + DAY_MS }),
    ];
    expect(kinds(entries)).toEqual(["day", "other", "other joined", "day", "other"]);
  });

  test("messages far apart in time, or of somebody else, stand alone", () => {
    const entries = [
      entry(1, { StoredAt: noon }),
      entry(2, { StoredAt: noon + 10 * 60_000 }),
      entry(3, { StoredAt: noon + 10 * 60_000, From: "ann" }),
    ];
    expect(kinds(entries)).toEqual(["day", "other", "other", "own"]);
  });

  test("what is new begins with the first message of somebody else", () => {
    const entries = [1, 2, 3, 4].map((seq) =>
      entry(seq, { StoredAt: noon, From: seq === 2 ? "ann" : "bob" }),
    );
    expect(kinds(entries, 1)).toEqual(["day", "other", "own", "new", "other", "other joined"]);
    expect(kinds(entries, 4)).not.toContain("new");
  });

  test("a message says that a change of it waits, until that is refused", () => {
    const react: Pending = { ...waiting, kind: "react", text: "🎉", refers: 2 };
    const waits = (pending: Pending[]) =>
      linesOf([entry(1), entry(2)], sceneOf([], pending), null).flatMap((line) =>
        line.kind === "message" ? [line.message.changing] : [],
      );
    expect(waits([react])).toEqual([false, true]);
    expect(waits([{ ...react, refusal: "no" }])).toEqual([false, false]);
    expect(waits([{ ...react, kind: "message" }])).toEqual([false, false]);
  });

  test("have keys of their own, whatever others call their messages", () => {
    const entries = [
      entry(1, { MsgID: "new" }),
      entry(2, { MsgID: "seq-3" }),
      entry(3, { MsgID: "1" }),
      entry(4, { MsgID: "1" }),
      entry(5, { MsgID: "1", From: "ann" }),
      entry(6, { MsgID: "1", From: "ann" }),
      entry(7, { MsgID: "", From: "ann" }),
    ];
    const lines = [
      ...linesOf(entries, sceneOf(entries), 1),
      ...pendingLines([{ ...waiting, id: "seq-1" }], sceneOf(entries)),
    ];
    expect(new Set(lines.map(({ key }) => key)).size).toBe(lines.length);
  });

  test("show what waits until the log has it, at the same place on the page", () => {
    const scene = sceneOf([]);
    const others = { ...waiting, id: "other" };
    const key = pendingLines([waiting, others], scene)[0]?.key;
    const logged = entry(1, { From: "ann", MsgID: "mine" });
    scene.conversation.accept(logged);
    scene.conversation.accept(entry(2, { MsgID: "other" }));
    expect(linesOf([logged], scene, null).at(-1)?.key).toBe(key);
    expect(pendingLines([waiting, others], scene)).toMatchObject([{ item: { id: "other" } }]);
  });

  test("give the Tab key to the last one used, else to the newest, of those with a menu", () => {
    const entries = [
      entry(1),
      entry(2),
      entry(3, { Deleted: 9 }),
      entry(4),
      entry(5, { EvtType: "join", Body: "[]" }),
      entry(6, { Deleted: 8 }),
    ];
    const tabbed = (seq: number | null) => {
      const line = tabbedLine(linesOf(entries, sceneOf([]), null), seq);
      return line?.kind === "message" ? line.entry.Seq : undefined;
    };
    expect([null, 1, 3, 6, 0].map(tabbed)).toEqual([4, 1, 2, 4, 4]);
  });
});
