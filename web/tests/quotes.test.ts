/** What a reply quotes, fetched alone, is as the log has it. */

import { describe, expect, test } from "vitest";
import { Writing } from "../src/state/writing.ts";
import { entry, settle } from "./fakes.ts";
import { CONV, history, live } from "./page.ts";

/** A page that holds the newest 50 of 60 entries, and quotes the entry 3. */
async function quoting() {
  const page = await live(60);
  const { channel, client, conversation } = page;
  await client.show(CONV);
  const quoted = () => client.conversations.quoted(conversation(), 3);
  const remove = () => channel.tell(entry(61, { EvtType: "delete", Refers: 3, Body: "", N: 60 }));
  quoted();
  return { ...page, quoted, remove };
}

describe("a quoted entry that is not among those here", () => {
  test("changes as its author changes it", async () => {
    const { channel, quoted, remove } = await quoting();
    await settle();
    const said = [quoted()?.Body];
    remove();
    said.push(quoted()?.Body);
    channel.tell(entry(62, { EvtType: "edit", Refers: 2, Body: "another one", N: 60 }));
    expect([...said, quoted()?.Deleted]).toEqual(["text 3", "", 61]);
  });

  test("is as it was changed while it was fetched", async () => {
    const { quoted, remove } = await quoting();
    remove();
    await settle();
    expect([quoted()?.Body, quoted()?.Deleted]).toEqual(["", 61]);
  });

  test("is asked for again where its change may have been passed over", async () => {
    const { api, channel, quoted } = await quoting();
    await settle();
    api.logs.set(CONV, [...history(2), entry(3, { Body: "", Deleted: 70 })]);
    channel.tell({ EvtType: "skip", ConvID: CONV, Seq: 300, N: 299, more: true });
    quoted();
    await settle();
    expect(quoted()?.Deleted).toBe(70);
  });

  test("ends the edit that is of it where it is deleted", async () => {
    const { client, conversation, quoted, remove } = await quoting();
    await settle();
    const writing = new Writing(conversation(), client.drafts);
    writing.rewrite(quoted() ?? entry(3));
    remove();
    writing.heed(quoted());
    expect(writing.about).toBeUndefined();
  });
});
