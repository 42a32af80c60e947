/** What was refused for good: why, in plain words, and what is left to do about it. */

import { describe, expect, test } from "vitest";
import type { Pending } from "../src/state/ports.ts";
import { mayRetry, reasonOf } from "../src/state/refusals.ts";
import { Failure } from "../src/wire/failure.ts";
import type { Act } from "../src/wire/wire.ts";
import { live } from "./page.ts";

const CONV = "dm:ann:bob";

/** What is left of an act of `kind` that the server refuses. */
async function refused(kind: Act, failure: Failure): Promise<Pending | undefined> {
  const { client, channel, clock } = await live(1);
  await client.outbox.act(CONV, kind, { text: "so", refers: 1 });
  channel.chats(kind)[0]?.fail(failure);
  await clock.pass(0);
  return client.outbox.of(CONV)[0];
}

const DELETED = new Failure("bad_request", "Refers means a message that was deleted");
const OUTSIDE = new Failure("not_a_member", "no such conversation, or not yours");

describe("a refusal", () => {
  test("of an edit says that its message has been deleted, and is no use to try again", async () => {
    const edit = await refused("edit", DELETED);
    expect(edit && reasonOf(edit)).toBe("That message has been deleted.");
    expect(edit && mayRetry(edit)).toBe(false);
  });

  test("by a group that one is not in any more says so", async () => {
    const change = await refused("group", OUTSIDE);
    expect(change && reasonOf(change)).toBe("You are not in this group any more.");
    expect(change && mayRetry(change)).toBe(false);
  });

  test("of a message leaves it to be tried again in any case", async () => {
    const message = await refused("message", OUTSIDE);
    expect(message && reasonOf(message)).toBe("You are not in this group any more.");
    expect(message && mayRetry(message)).toBe(true);
  });

  test("of a text that is too long says what to do, whoever found out", async () => {
    const words = "This message is too long. Shorten it or send it in parts.";
    const answered = await refused("edit", new Failure("too_large", "16385 bytes of Body"));
    expect(answered && reasonOf(answered)).toBe(words);
    const { client, channel } = await live(1);
    await client.outbox.send(CONV, "y".repeat(128 * 1024 + 1));
    expect(channel.chats("message")).toEqual([]);
    expect(client.outbox.of(CONV).map(reasonOf)).toEqual([words]);
  });

  test("of a long text is the server's", async () => {
    const { client, channel } = await live(1);
    await client.outbox.send(CONV, "y".repeat(128 * 1024));
    expect(channel.chats("message")).toHaveLength(1);
  });

  test("of a reaction, or of what is so already, is not told", async () => {
    expect(await refused("react", DELETED)).toBeUndefined();
    expect(await refused("delete", DELETED)).toBeUndefined();
    expect(await refused("depart", OUTSIDE)).toBeUndefined();
  });

  test("that an earlier version kept without its code keeps its words", () => {
    const kept = { id: "1", conv: CONV, text: "so", at: 1, order: 1, owner: "page-1" };
    expect(reasonOf({ ...kept, kind: "edit", refusal: "no" })).toBe("No.");
    expect(mayRetry({ ...kept, kind: "edit", refusal: "no" })).toBe(true);
    expect(reasonOf(kept)).toBeUndefined();
  });
});
