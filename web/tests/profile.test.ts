/** What somebody writes of themselves, and what is changed elsewhere meanwhile. */

import { expect, test } from "vitest";
import { ProfileDraft } from "../src/state/profile.svelte.ts";

const ann = { name: "Ann", about: "" };

function begun(): ProfileDraft {
  const draft = new ProfileDraft();
  draft.heed(ann);
  return draft;
}

test("only what was written is changed", () => {
  const draft = begun();
  expect([draft.changed, draft.changes]).toEqual([false, {}]);
  draft.about = " of Cleves ";
  expect([draft.changed, draft.changes]).toEqual([true, { about: "of Cleves" }]);
});

test("what is changed elsewhere comes in where nothing was written", () => {
  const draft = begun();
  draft.about = "of Cleves";
  draft.heed({ name: "Anna", about: "of Kleve" });
  expect([draft.name, draft.about]).toEqual(["Anna", "of Cleves"]);
  expect(draft.changes).toEqual({ about: "of Cleves" });
});

test("what is saved is no change any more", () => {
  const draft = begun();
  draft.about = "of Cleves";
  draft.heed({ ...ann, about: "of Cleves" });
  expect(draft.changed).toBe(false);
});
