/** Groups: who is in, and what is done with them, as the log tells it. */

import { describe, expect, test } from "vitest";
import { Failure } from "../src/wire/failure.ts";
import { entry, item, settle, world } from "./fakes.ts";
import { CONV, inGroup, member, notice, said } from "./group.ts";

describe("who is in", () => {
  test("is asked for when the group is shown, and follows the log", async () => {
    const { channel, roster, members } = await inGroup();
    expect(members()).toEqual(["ann owner", "bob", "cleo"]);
    channel.tell(notice(3, "join", "ann", ["dan"]));
    channel.tell(notice(4, "depart", "cleo"));
    channel.tell(notice(5, "role", "ann", { uid: "bob", role: "admin" }));
    channel.tell(notice(6, "remove", "bob", ["dan"]));
    await settle();
    expect([members(), roster.count]).toEqual([["ann owner", "bob admin"], 2]);
  });

  test("a new owner takes the old one's place, by hand or when that leaves", async () => {
    const { channel, roster, members } = await inGroup();
    channel.tell(notice(3, "role", "ann", { uid: "bob", role: "owner" }));
    expect([members(), roster.role]).toEqual([["ann admin", "bob owner", "cleo"], "admin"]);
    channel.tell({ ...notice(4, "depart", "bob"), Owner: "ann" });
    expect([members(), roster.role]).toEqual([["ann owner", "cleo"], "owner"]);
  });

  test("a large group is fetched page by page", async () => {
    const given = world();
    given.api.memberLimit = 2;
    const { client, conversation, roster, members } = await inGroup(given);
    expect([members(), roster.count, roster.complete]).toEqual([["ann owner", "bob"], 3, false]);
    await client.groups.more(conversation);
    expect([members().length, roster.complete]).toEqual([3, true]);
  });

  test("what changes while it is fetched is not lost", async () => {
    const given = await inGroup();
    const { api, channel, client, conversation, roster, members } = given;
    roster.outdate();
    const loading = client.groups.load(conversation);
    api.groups.set(CONV, [member("ann", "owner"), member("bob"), member("dan")]);
    channel.tell(notice(3, "join", "ann", ["dan"]));
    channel.tell(notice(4, "depart", "cleo"));
    await loading;
    expect([members(), roster.count]).toEqual([["ann owner", "bob", "dan"], 3]);
  });

  test("is counted once, also where the log tells later what the members tell already", async () => {
    const given = await inGroup();
    const { api, channel, client, conversation, roster, members } = given;
    api.groups.set(CONV, [member("ann", "owner"), member("dan", "member", 5)]);
    roster.outdate();
    await client.groups.load(conversation);
    channel.tell(notice(3, "join", "ann", ["dan"]));
    channel.tell(notice(4, "remove", "ann", ["bob", "dan"]));
    channel.tell(notice(5, "join", "ann", ["dan"]));
    channel.tell(notice(6, "depart", "cleo"));
    await settle();
    expect([members(), roster.count]).toEqual([["ann owner", "dan"], 2]);
  });

  test("is counted once in a large group, whose list tells how far its log has come", async () => {
    const given = world();
    given.api.memberLimit = 2;
    const { api, channel, client, conversation, roster } = await inGroup(given);
    const uids = ["bob", "cleo", "dan"];
    api.groups.set(CONV, [member("ann", "owner"), ...uids.map((uid) => member(uid))]);
    conversation.adopt(item(notice(4, "depart", "zoe")));
    roster.outdate();
    await client.groups.load(conversation);
    channel.tell(said(3, "bob", { N: 2 }));
    channel.tell(notice(4, "depart", "zoe"));
    expect([roster.count, roster.complete]).toEqual([4, false]);
    channel.tell(notice(5, "depart", "dan"));
    expect(roster.count).toBe(3);
  });

  test("is asked for again when entries were passed over, and after a failure", async () => {
    const { api, channel, members } = await inGroup();
    api.groups.set(CONV, [member("ann", "owner")]);
    api.failure = new Failure("unavailable", "no store");
    channel.tell({ EvtType: "skip", ConvID: CONV, Seq: 500, N: 400, more: true });
    await settle();
    expect(members()).toEqual(["ann owner", "bob", "cleo"]);
    await channel.lose();
    await channel.connect();
    expect(members()).toEqual(["ann owner"]);
  });

  test("is told by the names that they have by now, when somebody looks after a while", async () => {
    const { api, clock, client, members } = await inGroup();
    api.groups.set(CONV, [member("ann", "owner"), { ...member("bob"), name: "Robert" }]);
    client.freshen();
    await settle();
    expect(client.people.name("bob")).not.toBe("Robert");
    await clock.pass(300_001);
    client.freshen();
    await settle();
    expect(client.people.name("bob")).toBe("Robert");
    expect(members()).toEqual(["ann owner", "bob", "cleo"]);
  });
});

describe("one's own acts", () => {
  test("a group is made, written to and left in that order", async () => {
    const { client, channel } = await inGroup();
    const id = client.groups.create("Later", [{ uid: "bob", name: "Bob" }]);
    void client.outbox.send(id, "first");
    const conversation = client.conversations.ensure(id);
    client.groups.leave(conversation);
    expect(conversation.name).toBe("Later");
    for (const [kind, seq] of [
      ["create", 1],
      ["message", 2],
      ["depart", 3],
    ] as const) {
      await settle();
      const sent = channel.chats(kind).at(-1);
      expect(sent?.body).toMatchObject({ From: id, To: id, Originated: "ann" });
      expect(sent?.body.MsgID).not.toBe("");
      sent?.ok({ ConvID: id, Seq: seq, N: seq > 1 ? 1 : 0, StoredAt: seq });
    }
    await settle();
    expect(channel.chats("create")[0]?.body).toMatchObject({ Name: "Later", Body: '["bob"]' });
    expect(conversation.entries.map((each) => each.EvtType)).toEqual([
      "create",
      "message",
      "depart",
    ]);
    expect([conversation.left, client.outbox.items]).toEqual([true, []]);
  });

  test("of adding people the log tells, not the ack", async () => {
    const { client, channel, conversation } = await inGroup();
    client.groups.add(conversation, [{ uid: "dan", name: "Dan" }]);
    await settle();
    channel.tell(notice(3, "join", "ann", ["dan"]));
    channel.chats("refer")[0]?.ok({ ConvID: CONV, Seq: 3 });
    await settle();
    expect(conversation.entries.at(-1)?.EvtType).toBe("join");
    client.groups.add(conversation, [{ uid: "dan", name: "Dan" }]);
    await settle();
    channel.chats("refer")[1]?.ok({ ConvID: CONV });
    await settle();
    expect([conversation.position, client.outbox.items]).toEqual([3, []]);
  });

  test("who did not come in when they were added has been asked", async () => {
    const { client, channel, conversation } = await inGroup();
    const people = ["bob", "dan", "eve"].map((uid) => ({ uid, name: uid }));
    client.groups.add(conversation, people);
    await settle();
    channel.tell(notice(3, "join", "ann", ["dan"]));
    channel.chats("refer")[0]?.ok({ ConvID: CONV, Seq: 3 });
    await settle();
    expect([conversation.asked, conversation.mayBeIn]).toEqual([["eve"], false]);
  });

  test("where not all members are known, who did not come in may as well have been in", async () => {
    const given = world();
    given.api.memberLimit = 2;
    const { client, channel, conversation } = await inGroup(given);
    client.groups.add(conversation, [{ uid: "cleo", name: "Cleo" }]);
    await settle();
    channel.chats("refer")[0]?.ok({ ConvID: CONV });
    await settle();
    expect([conversation.asked, conversation.mayBeIn]).toEqual([["cleo"], true]);
  });

  test("who did not come in when the group was made has been asked, until they join", async () => {
    const { api, client, channel } = await inGroup();
    const people = ["bob", "dan"].map((uid) => ({ uid, name: uid }));
    const id = client.groups.create("Later", people);
    const conversation = client.conversations.ensure(id);
    await settle();
    api.logs.set(id, [{ ...notice(1, "create", "ann", ["bob"]), ConvID: id }]);
    channel.chats("create")[0]?.ok({ ConvID: id, Seq: 1, N: 0, StoredAt: 1 });
    await settle();
    expect([conversation.asked, conversation.mayBeIn]).toEqual([["dan"], false]);
    channel.tell({ ...notice(2, "join", "dan", ["dan"]), ConvID: id });
    expect(conversation.asked).toEqual([]);
  });

  test("rules hold as they were set, before the log has them and after, unless refused", async () => {
    const { client, channel, conversation } = await inGroup();
    const shown = () => client.groups.settings(conversation);
    client.groups.change(conversation, { announcements: true });
    client.groups.change(conversation, { public: true });
    expect(shown()).toMatchObject({ announcements: true, public: true, history_open: false });
    await settle();
    channel.chats("group")[0]?.ok({ ConvID: CONV, Seq: 3, N: 1, StoredAt: 3 });
    await settle();
    expect(shown()).toMatchObject({ announcements: true, public: true });
    expect(conversation.roster.settings).toMatchObject({ announcements: true, public: false });
    channel.chats("group")[1]?.fail(new Failure("forbidden", "no"));
    await settle();
    expect(shown()).toMatchObject({ announcements: true, public: false });
  });

  test("a group that is not made yet is there after a reload", async () => {
    const given = world();
    const put = {
      id: "m1",
      conv: "group_later",
      kind: "create",
      text: "[]",
      name: "Later",
      at: 1,
      order: 1,
      owner: "page-1",
    } as const;
    await given.outbox.put(put);
    const { client } = await inGroup(given);
    await client.show("group_later");
    expect(client.shown).toMatchObject({ state: "ready", conversation: { name: "Later" } });
  });
});

describe("what the log does to one's own place", () => {
  test("a list from before does not take it back, nor a new name", async () => {
    const { channel, conversation } = await inGroup();
    const before = item(said(2, "ann", { N: 1 }), { name: "Trip" });
    channel.tell(notice(3, "group", "ann", { name: "Journey" }));
    channel.tell(notice(4, "depart", "ann"));
    conversation.adopt(before);
    expect([conversation.name, conversation.left]).toEqual(["Journey", true]);
    conversation.adopt(item(notice(6, "join", "bob", ["ann"]), { name: "Voyage" }));
    expect([conversation.name, conversation.left]).toEqual(["Voyage", false]);
  });

  test("a list that is only behind tells both", async () => {
    const { channel, conversation } = await inGroup();
    channel.tell(said(3, "bob", { N: 2 }));
    conversation.adopt(item(said(2, "ann", { N: 1 }), { name: "Journey", left: true }));
    expect([conversation.name, conversation.left]).toEqual(["Journey", true]);
  });

  test.each([
    ["an own departure", notice(3, "depart", "ann")],
    ["being removed", notice(3, "remove", "bob", ["ann"])],
  ])("%s ends it until one is added again", async (_, end) => {
    const { channel, conversation } = await inGroup();
    channel.tell(end);
    expect([conversation.left, conversation.writable]).toEqual([true, false]);
    channel.tell({ EvtType: "skip", ConvID: CONV, Seq: 8, N: 6, more: false });
    channel.tell(notice(9, "join", "bob", ["ann"]));
    expect([conversation.left, conversation.writable]).toEqual([false, true]);
  });

  test.each([false, true])(
    "who is added again sees what became of the messages of before (reading them: %s)",
    async (readsUp) => {
      const { api, channel, client, conversation } = await inGroup();
      channel.tell(notice(3, "depart", "ann"));
      conversation.readsUp = readsUp;
      api.logs.set(CONV, [
        notice(1, "create", "ann", ["bob", "cleo"]),
        said(2, "ann", { N: 1, Body: "", Deleted: 7 }),
        notice(3, "depart", "ann"),
      ]);
      channel.tell({ EvtType: "skip", ConvID: CONV, Seq: 8, N: 6, more: false });
      channel.tell(notice(9, "join", "bob", ["ann"]));
      await client.conversations.loadOlder(conversation);
      expect(conversation.entries.map(({ Seq }) => Seq)).toEqual([1, 2, 3, 9]);
      expect(conversation.at(2)?.Deleted).toBe(7);
    },
  );

  test("a closed group is read only, also when only the list tells", async () => {
    const given = await inGroup();
    given.channel.tell(notice(3, "close", "ann"));
    expect([given.conversation.open, given.conversation.left]).toEqual([false, false]);
    const fresh = given.client.conversations.ensure("group_other");
    fresh.adopt(item({ ...notice(7, "close", "bob"), ConvID: "group_other" }));
    expect(fresh.writable).toBe(false);
  });

  test("a history that is opened can be fetched", async () => {
    const { api, channel, client, conversation } = await inGroup();
    conversation.entries = conversation.entries.slice(1);
    api.logs.set(CONV, conversation.entries.slice());
    await client.conversations.loadOlder(conversation);
    expect(conversation.more).toBe(false);
    api.logs.set(CONV, [notice(1, "create", "ann", ["bob"]), ...conversation.entries]);
    channel.tell(notice(3, "group", "ann", { history_open: true, name: "" }));
    await client.conversations.loadOlder(conversation);
    expect(conversation.entries.map((each) => each.Seq)).toEqual([1, 2, 3]);
    expect(conversation.name).toBe(CONV);
  });

  test("a history that is opened has what came while one was not there, and quotes of it", async () => {
    const { api, channel, client, conversation } = await inGroup();
    conversation.entries = [...conversation.entries, notice(6, "join", "bob", ["ann"])];
    conversation.position = 6;
    const quoted = () => client.conversations.quoted(conversation, 4);
    quoted();
    await settle();
    const quotes = [quoted()];
    const passed = [3, 4, 5].map((seq) => said(seq, "bob"));
    api.logs.set(CONV, [...(api.logs.get(CONV) ?? []), ...passed]);
    channel.tell(notice(7, "group", "bob", { history_open: true }));
    quoted();
    await settle();
    quotes.push(quoted());
    await client.conversations.loadOlder(conversation);
    expect(conversation.entries.map(({ Seq }) => Seq)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(quotes).toMatchObject([null, { Seq: 4 }]);
  });

  test("in a group for announcements admins write", async () => {
    const { channel, conversation } = await inGroup();
    channel.tell(notice(3, "group", "ann", { announcements: true, name: "News" }));
    expect([conversation.name, conversation.writable]).toEqual(["News", true]);
    channel.tell(notice(4, "role", "ann", { uid: "bob", role: "owner" }));
    channel.tell(notice(5, "role", "bob", { uid: "ann", role: "member" }));
    expect(conversation.writable).toBe(false);
  });
});

describe("invitations", () => {
  test("come by the user's own log and go when they are answered", async () => {
    const { api, channel, client } = await inGroup();
    const invitation = { id: "i1", ConvID: "group_x", from: "bob", at: 5 };
    api.waiting = [invitation];
    channel.tell(entry(1, { ConvID: "user:ann", EvtType: "invitation", Body: "{}" }));
    await settle();
    expect(client.invitations.waiting).toEqual([invitation]);
    expect(await client.invitations.answer(invitation, true)).toBe("group_x");
    expect(client.invitations.waiting).toEqual([]);
  });

  test("stay while nobody can be asked for them", async () => {
    const { api, client } = await inGroup();
    api.waiting = [{ id: "i1", ConvID: "group_x", from: "bob", at: 5 }];
    await client.invitations.load();
    api.failure = new Failure("unavailable", "no store");
    await client.invitations.load();
    expect(client.invitations.waiting).toHaveLength(1);
  });
});
