/** What edits, deletions and reactions make of messages, told or still waiting. */

import { describe, expect, test } from "vitest";
import type { Pending } from "../src/state/ports.ts";
import {
  appended,
  changed,
  groupChangeOf,
  lastOwn,
  prepended,
  roleChangeOf,
  uidsOf,
  withPending,
} from "../src/state/timeline.ts";
import { around, bounds } from "../src/state/window.ts";
import type { Act } from "../src/wire/wire.ts";
import { entry } from "./fakes.ts";

const change = (seq: number, EvtType: string, Body = "", From = "bob") =>
  entry(seq, { EvtType, Body, From, Refers: 1 });

describe("changes", () => {
  test("that came while older messages were fetched change these, too", () => {
    const all = [change(3, "edit", "better"), change(4, "react", "👍", "cleo")];
    const [message] = prepended([entry(1), entry(2)], all);
    expect(message).toMatchObject({ Body: "better", Edited: 3, Reactions: { cleo: "👍" } });
  });

  test("of one person the newest reaction holds, and an empty one takes it back", () => {
    const all = [
      change(2, "react", "👍"),
      change(3, "react", "🎉"),
      change(4, "react", "👍", "cleo"),
      change(5, "react", "", "cleo"),
    ];
    const [message] = all.reduce(appended, [entry(1)]);
    expect(message?.Reactions).toEqual({ bob: "🎉" });
  });

  test("a page that told a newer edit is not undone by an older one", () => {
    const told = entry(1, { Body: "newest", Edited: 9 });
    expect(changed(told, change(7, "edit", "older")).Body).toBe("newest");
  });

  test("what is deleted stays deleted", () => {
    const gone = changed(entry(1), change(2, "delete"));
    const after = [change(3, "edit", "back"), change(4, "react", "👍")].reduce(changed, gone);
    expect([after.Body, after.Deleted, after.Reactions]).toEqual(["", 2, undefined]);
  });
});

describe("what waits to be sent", () => {
  const waiting = (kind: Act, text: string, more: Partial<Pending> = {}): Pending => ({
    ...{ id: kind, conv: "dm:ann:bob", kind, text, refers: 2, at: 1, order: 1, owner: "page-1" },
    ...more,
  });
  const entries = [entry(1), entry(2)];

  test("is seen in the message it changes", () => {
    const [first, second] = withPending(
      entries,
      [waiting("edit", "better"), waiting("react", "👍")],
      "ann",
    );
    expect(first).toBe(entries[0]);
    expect([second?.Body, second?.Reactions]).toEqual(["better", { ann: "👍" }]);
  });

  test("is not once it was refused, and a reply changes nothing", () => {
    const refused = waiting("edit", "better", { refusal: "no" });
    expect(withPending(entries, [refused, waiting("message", "a reply")], "ann")).toBe(entries);
  });
});

describe("lists and changes in a Body", () => {
  test.each(["", "no json", "null", "7", '"text"', "{}", "[1, null]"])("%j is none", (Body) => {
    expect(uidsOf({ Body })).toEqual([]);
    expect(roleChangeOf({ Body })).toBeNull();
    expect(groupChangeOf({ Body }).name).toBeUndefined();
  });
});

test("a message jumped to has its neighbours around it", () => {
  const entries = Array.from({ length: 500 }, (_, at) => entry(at + 1));
  const [start, end] = bounds(entries, around(entries, 200));
  expect([start < 199, end > 200, end - start <= 300]).toEqual([true, true, true]);
});

describe("the last own message", () => {
  test("is the newest that has a text and is somebody's own", () => {
    const own = (seq: number, more = {}) => entry(seq, { From: "ann", ...more });
    const all = [own(1), own(2), own(3, { Body: "", Deleted: 6 }), own(4, { EvtType: "react" })];
    expect(lastOwn([...all, entry(5)], "ann")?.Seq).toBe(2);
    expect(lastOwn([entry(1)], "ann")).toBeUndefined();
  });
});
