/** A page's list of conversations, and the history that it needs for that. */

import { describe, expect, test } from "vitest";
import { listedAt } from "../src/components/rows.ts";
import { Failure } from "../src/wire/failure.ts";
import { entry, item, world } from "./fakes.ts";
import { CONV, history, live } from "./page.ts";

describe("the list", () => {
  test("is asked for again while the server does not answer", async () => {
    const given = world();
    given.api.failure = new Failure("unavailable", "no store", 1_000);
    const { client, channel } = await live(2, given);
    expect([client.conversations.loaded, given.api.listCalls]).toEqual([false, 1]);
    await given.clock.pass(1_000);
    expect(client.conversations.loaded).toBe(true);
    expect(channel.bodies("join")).toHaveLength(1);
  });

  test("shows the newest message, also where a reaction came after it", async () => {
    const given = world();
    const reaction = entry(3, { EvtType: "react", Refers: 1, Body: "👍", N: 2 });
    given.api.logs.set(CONV, [...history(2), reaction]);
    given.api.list = [item(reaction)];
    const { channel, conversation } = await live(3, given);
    expect(conversation().last?.Seq).toBe(2);
    expect(channel.bodies("join")[0]?.cursors).toEqual({ [CONV]: 3 });
  });

  /** A page whose conversation ends with `count` reactions to the first of two messages. */
  async function reactedTo(count: number, given = world()) {
    const reactions = Array.from({ length: count }, (_, at) =>
      entry(3 + at, { EvtType: "react", Refers: 1, Body: "👍", N: 2 }),
    );
    given.api.logs.set(CONV, [...history(2), ...reactions]);
    given.api.list = [item(entry(2 + count, { EvtType: "react", Refers: 1, N: 2 }))];
    return live(2 + count, given);
  }

  test("shows the newest message, however many reactions came after it", async () => {
    const { conversation } = await reactedTo(700);
    expect(conversation().last?.Seq).toBe(2);
  });

  test("tries once each time where that fails, and has the conversation all the same", async () => {
    const given = world();
    const answer = given.api.eventsBefore.bind(given.api);
    const asked: number[] = [];
    given.api.eventsBefore = async (id, before, limit) => {
      asked.push(before);
      if (asked.length > 1) throw new Failure("unavailable", "no store");
      return answer(id, before, limit);
    };
    const { conversation } = await reactedTo(300, given);
    expect([given.api.listCalls, asked]).toEqual([2, [303, 253, 253]]);
    expect(listedAt(conversation(), [], undefined)).toBe(entry(302).StoredAt);
  });

  test("that comes late takes back nothing that has come by then", async () => {
    const { api, channel, clock, conversation } = await live(3);
    channel.tell(entry(4, { EvtType: "delete", Refers: 3, Body: "", N: 3 }));
    const lasts = [];
    for (const listed of [entry(3), entry(5)]) {
      api.list = [item(listed)];
      await channel.lose();
      await channel.connect();
      await clock.pass(1_000);
      lasts.push(conversation().last?.Body);
    }
    expect(lasts).toEqual(["", "text 5"]);
  });

  test("history is fetched once, and who asks meanwhile waits for it", async () => {
    const { client, api, conversation } = await live(120);
    const asked: number[] = [];
    const answer = api.eventsBefore.bind(api);
    api.eventsBefore = (id, before, limit) => {
      asked.push(before);
      return answer(id, before, limit);
    };
    const twice = [1, 2].map(() => client.conversations.loadOlder(conversation()));
    await Promise.all(twice);
    expect([asked, conversation().entries.length]).toEqual([[121], 50]);
    await client.conversations.loadOlder(conversation());
    expect(asked).toEqual([121, 71]);
  });

  test("history that could not be fetched can be asked for again", async () => {
    const { client, api, conversation } = await live(3);
    api.failure = new Failure("unavailable", "no store");
    await client.show(CONV);
    expect(conversation().history).toBe("failed");
    await client.conversations.loadOlder(conversation());
    expect([conversation().history, conversation().entries.length]).toEqual(["idle", 3]);
  });
});
