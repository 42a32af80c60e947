/** The log's lines: days, what is new, who stands close to whom. */

import { describe, expect, test } from "vitest";
import { kept, linesOf, pendingLines, tabbedLine } from "../src/components/lines.ts";
import { Conversation } from "../src/state/conversation.svelte.ts";
import type { Pending } from "../src/state/ports.ts";
import { appended, changing } from "../src/state/timeline.ts";
import type { Entry } from "../src/wire/wire.ts";
import { entry } from "./fakes.ts";

const DAY_MS = 86_400_000;
const noon = new Date(2026, 2, 20, 12).getTime();

const ME = "ann";

const waiting: Pending = {
  id: "mine",
  conv: "dm:ann:bob",
  text: "hi",
  at: noon,
  order: 1,
  owner: "page",
};

function kinds(entries: Entry[], newAfter: number | null = null): string[] {
  return linesOf(entries, ME, newAfter).map((line) => {
    if (line.kind !== "message") return line.kind;
    return `${line.entry.From === ME ? "own" : "other"}${line.joined ? " joined" : ""}`;
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
    const waits = (pending: Pending[]) => [...changing(pending)];
    expect(waits([react])).toEqual([2]);
    expect(waits([{ ...react, refusal: "no" }])).toEqual([]);
    expect(waits([{ ...react, kind: "message" }])).toEqual([]);
  });

  test("that have not changed stay the very same", () => {
    const entries = [1, 2, 3].map((seq) => entry(seq, { StoredAt: noon }));
    const before = linesOf(entries, ME, null);
    const changed = appended(entries, entry(4, { EvtType: "edit", Refers: 2, Body: "new" }));
    const lines = kept(linesOf(changed.slice(0, 3), ME, null), before);
    expect(lines.map((line, at) => line === before[at])).toEqual([true, true, false, true]);
    expect(lines[2]).toMatchObject({ entry: { Body: "new" } });
    const apart = kept(linesOf(entries.slice(1), ME, null), before);
    expect(apart.map((line) => before.includes(line))).toEqual([false, false, true]);
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
      ...linesOf(entries, ME, 1),
      ...pendingLines([{ ...waiting, id: "seq-1" }], new Conversation("dm:ann:bob", ME)),
    ];
    expect(new Set(lines.map(({ key }) => key)).size).toBe(lines.length);
  });

  test("show what waits until the log has it, at the same place on the page", () => {
    const conversation = new Conversation("dm:ann:bob", ME);
    const others = { ...waiting, id: "other" };
    const key = pendingLines([waiting, others], conversation)[0]?.key;
    const logged = entry(1, { From: "ann", MsgID: "mine" });
    conversation.accept(logged);
    conversation.accept(entry(2, { MsgID: "other" }));
    expect(linesOf([logged], ME, null).at(-1)?.key).toBe(key);
    expect(pendingLines([waiting, others], conversation)).toMatchObject([
      { item: { id: "other" } },
    ]);
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
      const line = tabbedLine(linesOf(entries, ME, null), seq);
      return line?.kind === "message" ? line.entry.Seq : undefined;
    };
    expect([null, 1, 3, 6, 0].map(tabbed)).toEqual([4, 1, 2, 4, 4]);
  });
});
