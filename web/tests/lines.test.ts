/** The log's lines: days, what is new, who stands close to whom. */

import { describe, expect, test } from "vitest";
import { linesOf, type Scene } from "../src/components/lines.ts";
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
    const react: Pending = {
      id: "r",
      conv: "dm:ann:bob",
      kind: "react",
      text: "🎉",
      refers: 2,
      at: noon,
      order: 1,
      owner: "page",
    };
    const waits = (pending: Pending[]) =>
      linesOf([entry(1), entry(2)], sceneOf([], pending), null).flatMap((line) =>
        line.kind === "message" ? [line.message.changing] : [],
      );
    expect(waits([react])).toEqual([false, true]);
    expect(waits([{ ...react, refusal: "no" }])).toEqual([false, false]);
    expect(waits([{ ...react, kind: "message" }])).toEqual([false, false]);
  });
});
