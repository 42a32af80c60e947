/** The log's lines: days, what is new, who stands close to whom. */

import { describe, expect, test } from "vitest";
import { linesOf, type Scene } from "../src/components/lines.ts";
import { Conversation } from "../src/state/conversation.svelte.ts";
import { entry } from "./fakes.ts";

const DAY_MS = 86_400_000;
const noon = new Date(2026, 2, 20, 12).getTime();

function kinds(entries: ReturnType<typeof entry>[], newAfter: number | null = null): string[] {
  const scene: Scene = {
    conversation: new Conversation("dm:ann:bob", "ann"),
    nameOf: (uid) => uid,
    entryAt: (seq) => entries.find((each) => each.Seq === seq),
  };
  return linesOf(entries, scene, newAfter).map((line) => {
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
});
