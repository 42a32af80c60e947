/** Who has read in a group, as counts and places tell it, and by name. */

import { describe, expect, test } from "vitest";
import { Failure } from "../src/wire/failure.ts";
import { world } from "./fakes.ts";
import { CONV, inGroup, member, notice, said } from "./group.ts";

function receipt(kind: "delivery" | "display", reader: string, Seq: number) {
  return { EvtType: kind, From: CONV, Originated: reader, To: CONV, ConvID: CONV, Seq };
}

describe("who has read", () => {
  test("is counted among the present members who came in before the message", async () => {
    const { channel, state } = await inGroup();
    const told = [state(2)];
    channel.tell(receipt("delivery", "bob", 2));
    told.push(state(2));
    channel.tell(receipt("delivery", "cleo", 2));
    told.push(state(2));
    channel.tell(receipt("display", "bob", 2));
    told.push(state(2));
    channel.tell(notice(3, "join", "ann", ["dan"]));
    channel.tell(receipt("display", "dan", 3));
    told.push(state(2));
    channel.tell(notice(4, "depart", "bob"));
    told.push(state(2));
    const read = ["Read by 1 of 2", "Read by 1 of 3"];
    expect(told).toEqual(["Sent", "Sent", "Delivered", ...read, "Delivered"]);
  });

  test("a snapshot tells what was missed", async () => {
    const { channel, state } = await inGroup();
    const Body = JSON.stringify([
      ["ann", 2, 2],
      ["bob", 2, 2],
      ["cleo", 2, 2],
    ]);
    channel.tell({ EvtType: "receipts", ConvID: CONV, Body });
    expect(state(2)).toBe("Read by 2 of 2");
  });

  test("beyond a hundred members it is the counts that are told", async () => {
    const given = world();
    const { api, channel, client, conversation, roster, state } = await inGroup(given);
    const many = Array.from({ length: 149 }, (_, at) => member(`p${String(at).padStart(3, "0")}`));
    api.groups.set(CONV, [member("ann", "owner"), ...many]);
    roster.outdate();
    await client.groups.load(conversation);
    channel.tell({ EvtType: "receipts", ConvID: CONV, Body: "[[2, 149, 0]]" });
    expect(state(2)).toBe("Delivered");
    channel.tell({ EvtType: "receipts", ConvID: CONV, Body: "[[2, 149, 40]]" });
    expect(state(2)).toBe("Read by 40 of 149");
  });

  test("is asked for anew where so many leave that everybody's place is told", async () => {
    const given = world();
    const { api, channel, client, conversation, roster, state } = await inGroup(given);
    const many = Array.from({ length: 101 }, (_, at) => member(`p${String(at).padStart(3, "0")}`));
    api.groups.set(CONV, [member("ann", "owner"), ...many]);
    roster.outdate();
    await client.groups.load(conversation);
    channel.tell({ EvtType: "receipts", ConvID: CONV, Body: "[[2, 101, 40]]" });
    const asked = () => channel.bodies("sync").filter(({ receipts }) => receipts?.includes(CONV));
    const before = asked().length;
    channel.tell(notice(3, "depart", "p000"));
    expect([asked().length - before, state(2)]).toEqual([0, "Read by 40 of 100"]);
    channel.tell(notice(4, "depart", "p001"));
    expect(asked().length - before).toBe(1);
    const rows = many.slice(2).map(({ uid }, at) => [uid, 2, at < 38 ? 2 : 0]);
    channel.tell({ EvtType: "receipts", ConvID: CONV, Body: JSON.stringify(rows) });
    channel.tell(notice(5, "depart", "p100"));
    expect([asked().length - before, state(2)]).toEqual([1, "Read by 38 of 98"]);
  });

  test("is not told where no counts come, but of what is new nobody has read", async () => {
    const { channel, roster, state } = await inGroup();
    const told = [state(2)];
    for (const count of [150, null]) {
      roster.count = count;
      told.push(state(2));
    }
    channel.tell(said(3, "ann", { N: 2 }));
    told.push(state(3));
    channel.tell({ EvtType: "receipts", ConvID: CONV, Body: "[[3, 149, 40]]" });
    told.push(state(3));
    roster.count = 150;
    told.push(state(3), state(2));
    expect(told).toEqual([
      "Sent",
      undefined,
      undefined,
      "Sent",
      undefined,
      "Read by 40 of 149",
      undefined,
    ]);
  });

  test("is listed from all pages", async () => {
    const { api, client } = await inGroup();
    api.positions = [
      { uid: "bob", delivered: 2, displayed: 2 },
      { uid: "cleo", delivered: 2, displayed: 0 },
    ];
    expect(await client.groups.readers(CONV, 2)).toEqual(api.positions);
  });

  test("is told by the names that the members' pages have, as far as they can be fetched", async () => {
    const given = world();
    given.api.memberLimit = 1;
    const { api, client } = await inGroup(given);
    const people = ["bob", "cleo", "dan"];
    api.groups.set(
      CONV,
      ["ann", ...people, "eve"].map((uid) => member(uid)),
    );
    api.positions = people.map((uid) => ({ uid, delivered: 2, displayed: 2 }));
    const { members } = api;
    const pages: string[] = [];
    api.members = (id, after) => {
      pages.push(after);
      return after === "cleo"
        ? Promise.reject(new Failure("unavailable", ""))
        : members.call(api, id, after);
    };
    await client.groups.readers(CONV, 2);
    expect(people.map((uid) => client.people.knows(uid))).toEqual([true, true, false]);
    api.members = members;
    await client.groups.readers(CONV, 2);
    expect(people.map((uid) => client.people.knows(uid))).toEqual([true, true, true]);
    expect(pages).toEqual(["", "ann", "bob", "cleo"]);
  });
});
