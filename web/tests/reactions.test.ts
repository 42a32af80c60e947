/** A message's reactions by what they say. */

import { expect, test } from "vitest";
import { chipsOf } from "../src/components/reactions.ts";

function emoji(reactions: Record<string, string>, before: string[] = []): string[] {
  const drawn = before.map((each) => ({ emoji: each }));
  return chipsOf(reactions, drawn).map((chip) => chip.emoji);
}

test("those who reacted alike stand together, the first way first", () => {
  const chips = chipsOf({ ann: "👍", bob: "🎉", cleo: "👍" });
  expect(chips).toEqual([
    { emoji: "👍", uids: ["ann", "cleo"] },
    { emoji: "🎉", uids: ["bob"] },
  ]);
});

test("what is on the page keeps its place, and what is new comes after it", () => {
  expect(emoji({ bob: "🎉", cleo: "👍" }, ["👍", "🎉"])).toEqual(["👍", "🎉"]);
  expect(emoji({ bob: "😢", cleo: "🎉" }, ["👍", "🎉"])).toEqual(["🎉", "😢"]);
});
