/** The list's rows: what is newest, what is left to be done, and who is found. */

import { describe, expect, test } from "vitest";
import { listedAt, matches, rowOf } from "../src/components/rows.ts";
import { Conversation } from "../src/state/conversation.svelte.ts";
import type { Draft } from "../src/state/drafts.svelte.ts";
import type { Pending } from "../src/state/ports.ts";
import { entry, item } from "./fakes.ts";

const unsent: Pending = {
  ...{ id: "mine", conv: "dm:ann:bob", text: "hello", order: 1, owner: "page-1" },
  at: entry(1).StoredAt - 1,
};

function row(pending: Pending[] = [], draft?: Draft) {
  const conversation = new Conversation("dm:ann:bob", "ann");
  conversation.accept(entry(1, { Body: "hi" }));
  const found = rowOf(conversation, pending, draft, (uid) => uid);
  return [found.mark?.words, found.text];
}

describe("a row", () => {
  test("shows the newest text, and a draft ahead of it", () => {
    expect(row()).toEqual([undefined, "hi"]);
    expect(row([], { text: "half a sent" })).toEqual(["Draft: half a sent", "hi"]);
    expect(row([], { text: " \u200b" })).toEqual([undefined, "hi"]);
    const edit = { seq: 1, was: "at nien", text: "at nine" };
    expect(row([], { text: "half a sent", edit })).toEqual(["Draft: at nine", "hi"]);
    expect(row([], { text: "", edit: { ...edit, text: "at nien" } })).toEqual([undefined, "hi"]);
  });

  test("says that a message was not sent, also where there is a newer one", () => {
    expect(row([unsent])).toEqual([undefined, "You: hello"]);
    expect(row([{ ...unsent, refusal: "no" }])).toEqual(["Not sent", "hi"]);
    expect(row([{ ...unsent, refusal: "no" }], { text: "more" })).toEqual(["Not sent", "hi"]);
    expect(row([{ ...unsent, refusal: "no", kind: "role" }])).toEqual([undefined, "hi"]);
    const newer = { ...unsent, refusal: "no", at: entry(2).StoredAt };
    expect(row([newer])).toEqual(["Not sent", "You: hello"]);
  });
});

describe("a long text", () => {
  const long = "y".repeat(16_000);
  const begin = `${"y".repeat(200)}…`;

  test("is told by its beginning", () => {
    expect(row([{ ...unsent, text: long }], { text: long })).toEqual([
      `Draft: ${begin}`,
      `You: ${begin}`,
    ]);
  });
});

describe("a conversation without messages", () => {
  const conversation = () => new Conversation("dm:ann:bob", "ann");

  test("is listed, ahead of all, while something is written in it", () => {
    const draft: Draft = { text: "half a sent" };
    expect(listedAt(conversation(), [], draft)).toBe(Number.POSITIVE_INFINITY);
    expect(rowOf(conversation(), [], draft, (uid) => uid)).toEqual({
      mark: { kind: "draft", words: "Draft: half a sent" },
      text: "",
      at: null,
    });
    expect(listedAt(conversation(), [], { text: " " })).toBeNull();
    expect(listedAt(conversation(), [], undefined)).toBeNull();
  });

  test("is listed as of its newest entry, though that is not shown, and without a text", () => {
    const reacted = conversation();
    const reaction = entry(9, { EvtType: "react", Refers: 1, Body: "👍" });
    reacted.adopt(item(reaction));
    expect(listedAt(reacted, [], undefined)).toBe(reaction.StoredAt);
    expect(rowOf(reacted, [], undefined, (uid) => uid)).toMatchObject({
      text: "",
      at: reaction.StoredAt,
    });
  });

  test("is listed as of what waits to be sent", () => {
    expect(listedAt(conversation(), [unsent], undefined)).toBe(unsent.at);
  });
});

describe("a filter", () => {
  test.each(["", " ", "jo", "WEB", "weber jon", "Jönas", "jonas  w"])("%j finds him", (query) => {
    expect(matches("Jonas Weber", query)).toBe(true);
  });

  test("goes without the accents of a name, too", () => {
    expect(matches("José Łuczak", "jose")).toBe(true);
    expect(matches("Jonas Weber", "jonas x")).toBe(false);
  });
});
