/** What is being written: drafts, replies and edits, and what becomes of them. */

import { describe, expect, test } from "vitest";
import { Conversation } from "../src/state/conversation.svelte.ts";
import { type Draft, Drafts, isBlank } from "../src/state/drafts.svelte.ts";
import { Writing } from "../src/state/writing.ts";
import { FakeStorage } from "./browser.ts";
import { entry } from "./fakes.ts";

const CONV = "dm:ann:bob";
const mine = entry(1, { From: "ann", Body: "at nien" });

/** What a page of ann's finds that opens the conversation. */
function page(storage: FakeStorage | null = new FakeStorage()) {
  const conversation = new Conversation(CONV, "ann");
  conversation.accept(mine);
  const drafts = new Drafts("ann", storage);
  const writing = new Writing(conversation, drafts);
  const remove = (seq: number) => {
    conversation.accept(entry(2, { EvtType: "delete", From: "ann", Body: "", Refers: seq }));
    writing.heed(conversation.at(writing.about));
  };
  return { conversation, drafts, writing, remove };
}

describe("an edit", () => {
  test("that is half done is there after a reload, and the draft behind it", () => {
    const storage = new FakeStorage();
    const { writing } = page(storage);
    writing.reply(1);
    writing.text = "half a sent";
    writing.rewrite(mine);
    writing.text = "at nine";
    const { writing: again } = page(storage);
    expect([again.text, again.about]).toEqual(["at nine", 1]);
    again.cancel();
    expect([again.text, again.about]).toEqual(["half a sent", 1]);
  });

  test("whose message is deleted ends, and what was written is the draft", () => {
    const { writing, remove } = page();
    writing.text = "half a sent";
    writing.rewrite(mine);
    writing.text = "at nine";
    remove(1);
    expect(writing.draft).toEqual({ text: "at nine\nhalf a sent" });
  });

  test("that has changed nothing yet leaves nothing of a deleted message", () => {
    const { writing, remove } = page();
    writing.text = "half a sent";
    writing.rewrite(mine);
    remove(1);
    expect(writing.draft).toEqual({ text: "half a sent" });
  });

  test.each<[string, (writing: Writing) => void, Partial<Draft>]>([
    ["a reply", (writing) => writing.reply(9), { reply: 9 }],
    [
      "the edit of another message",
      (writing) => writing.rewrite(entry(9)),
      { edit: { seq: 9, was: "text 9", text: "text 9" } },
    ],
    [
      "an edit that was refused",
      (writing) => writing.again({ kind: "edit", refers: 1, text: "at ten" }),
      { edit: { seq: 1, was: "at nien", text: "at ten" } },
    ],
  ])("that gives way to %s leaves what was written to the draft", (_, act, about) => {
    const { writing } = page();
    writing.text = "half a sent";
    for (const [text, kept] of [
      ["at nien", "half a sent"],
      [" \n", "half a sent"],
      ["at nine", "at nine\nhalf a sent"],
    ] as const) {
      writing.rewrite(mine);
      writing.text = text;
      act(writing);
      expect(writing.draft).toEqual({ text: kept, ...about });
    }
  });

  test("that is asked for again goes on", () => {
    const { writing } = page();
    writing.rewrite(mine);
    writing.text = "at nine";
    writing.rewrite(mine);
    expect(writing.draft).toEqual({ text: "", edit: { seq: 1, was: "at nien", text: "at nine" } });
  });

  test("goes on while another message is deleted", () => {
    const { writing, remove } = page();
    writing.rewrite(mine);
    remove(9);
    expect(writing.about).toBe(1);
  });
});

describe("a reply", () => {
  test("is kept with its draft until it is sent", () => {
    const storage = new FakeStorage();
    page(storage).writing.reply(1);
    expect(page(storage).writing.about).toBe(1);
    page(storage).writing.sent();
    expect(page(storage).writing.about).toBeUndefined();
    expect(storage.length).toBe(0);
  });
});

describe("a message that was refused", () => {
  test.each([
    ["a reply", 1],
    ["no reply", undefined],
  ])("is %s as before when it is written once more", (_, refers) => {
    const { writing } = page();
    writing.reply(9);
    writing.again({ text: "too long", ...(refers !== undefined && { refers }) });
    expect(writing.draft).toEqual({ text: "too long", reply: refers });
  });

  test("is ahead of what is written, be it a draft or an edit", () => {
    const { writing } = page();
    writing.text = "half a sent";
    writing.rewrite(mine);
    writing.text = "at nine";
    writing.again({ kind: "message", text: "too long" });
    expect(writing.draft).toEqual({ text: "too long\nat nine\nhalf a sent" });
  });
});

describe("a change that was refused", () => {
  test("of a message that is deleted is ahead of the draft, which stays a reply", () => {
    const { writing, remove } = page();
    writing.text = "half a sent";
    writing.reply(9);
    remove(1);
    writing.again({ kind: "edit", refers: 1, text: "at nine" });
    expect(writing.draft).toEqual({ text: "at nine\nhalf a sent", reply: 9 });
  });
});

describe("a draft", () => {
  test("of another page of this browser is found when its conversation is opened", () => {
    const storage = new FakeStorage();
    const { conversation, drafts } = page(storage);
    page(storage).writing.text = "from the other page";
    expect(new Writing(conversation, drafts).text).toBe("from the other page");
  });

  test.each([null, new FakeStorage()])("lives as long as its page without room for it", (none) => {
    if (none) none.full = true;
    const { conversation, drafts, writing } = page(none);
    writing.text = "half a sent";
    expect(new Writing(conversation, drafts).text).toBe("half a sent");
  });

  test("is forgotten with all of its user's, and no others", () => {
    const storage = new FakeStorage();
    const { drafts, writing } = page(storage);
    writing.text = "half a sent";
    writing.rewrite(mine);
    new Drafts("anne", storage).put(CONV, { text: "another's" });
    new Drafts("ann", storage).clear();
    expect(storage.length).toBe(1);
    expect(new Drafts("anne", storage).get(CONV).text).toBe("another's");
    drafts.recall(CONV);
    expect(drafts.get(CONV)).toEqual({ text: "" });
  });
});

describe("a draft that two pages show", () => {
  test("is empty in both when one sends it, with what it was about", () => {
    const storage = new FakeStorage();
    const { writing: there } = page(storage);
    there.reply(1);
    for (const text of ["h", "he", "hello"]) there.text = text;
    const { writing: here, drafts } = page(storage);
    storage.tell();
    there.sent();
    storage.tell(drafts);
    expect([here.text, here.about]).toEqual(["", undefined]);
  });

  test("follows whoever writes, letter by letter", () => {
    const storage = new FakeStorage();
    const [first, second] = [page(storage), page(storage)];
    for (const text of ["h", "he"]) first.writing.text = text;
    storage.tell(second.drafts);
    second.writing.text = "hello";
    second.writing.rewrite(mine);
    storage.tell(first.drafts);
    expect(first.writing.draft).toEqual(second.writing.draft);
    expect([first.writing.text, first.drafts.get(CONV).text]).toEqual(["at nien", "hello"]);
  });

  test("is not taken away where there was no room to tell that it is another by now", () => {
    const storage = new FakeStorage();
    const [first, second] = [page(storage), page(storage)];
    first.writing.text = "from the first";
    storage.tell(second.drafts);
    storage.full = true;
    second.writing.text = "from the second";
    first.writing.sent();
    storage.tell(second.drafts);
    expect(second.writing.text).toBe("from the second");
  });

  test("is another's where another is logged in, or in another conversation", () => {
    const storage = new FakeStorage();
    const { drafts, writing } = page(storage);
    new Drafts("anne", storage).put(CONV, { text: "another's" });
    new Drafts("ann", storage).put("dm:ann:cleo", { text: "to cleo" });
    storage.tell(drafts);
    expect([writing.text, drafts.get("dm:ann:cleo").text]).toEqual(["", "to cleo"]);
  });
});

describe("a text", () => {
  test.each(["", " \n\t", "\u200b", "\u2060\ufeff", "\u00ad\u3164\u2800", "\u202e \u200d"])(
    "of nothing to be seen is blank: %j",
    (text) => {
      expect(isBlank(text)).toBe(true);
    },
  );

  test.each(["a", "\u200b.", "👩‍💻", "❤️", "ـ"])("of anything else is not: %s", (text) => {
    expect(isBlank(text)).toBe(false);
  });
});

describe("what is sent", () => {
  test.each([
    ["  if x:\n    pass", "  if x:\n    pass"],
    ["\n \n  if x:\n\n    pass \n\n", "  if x:\n\n    pass"],
    ["hello ", "hello"],
    [" \n\t ", ""],
  ])("of %j is %j", (text, ready) => {
    const { writing } = page();
    writing.text = text;
    expect(writing.ready).toBe(ready);
  });

  test("of any number of spaces is found at once", () => {
    const { writing } = page();
    writing.text = `${" ".repeat(50_000)}x${" ".repeat(50_000)}x`;
    const begun = performance.now();
    expect(writing.ready).toBe(writing.text);
    expect(performance.now() - begun).toBeLessThan(1_000);
  });
});
