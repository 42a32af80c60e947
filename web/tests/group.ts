/** A page of ann's that shows a group, over fakes. */

import { Client } from "../src/state/client.svelte.ts";
import { stateText } from "../src/state/wording.ts";
import type { Entry, Member } from "../src/wire/wire.ts";
import { entry, item, settle, world } from "./fakes.ts";

export const CONV = "group_trip";

/** An entry of the group's log, by `author`. */
export function said(seq: number, author: string, parts: Partial<Entry> = {}): Entry {
  return entry(seq, {
    From: CONV,
    To: CONV,
    ConvID: CONV,
    Originated: author,
    ...parts,
  });
}

export function notice(seq: number, kind: string, author: string, body: unknown = ""): Entry {
  const Body = typeof body === "string" ? body : JSON.stringify(body);
  return said(seq, author, { EvtType: kind, Body, N: 1, MsgID: "" });
}

export function member(uid: string, role = "member", since = 1): Member {
  return { uid, name: uid.toUpperCase(), role, since };
}

/** A live page of ann's that shows her group of bob and cleo, whose log ends at 2. */
export async function inGroup(given: ReturnType<typeof world> = world()) {
  const { api, channel, clock } = given;
  const log = [
    notice(1, "create", "ann", ["bob", "cleo"]),
    said(2, "ann", { N: 1, Body: "hello" }),
  ];
  api.groups.set(CONV, [member("ann", "owner"), member("bob"), member("cleo")]);
  api.logs.set(CONV, log);
  api.list = [item(said(2, "ann", { N: 1 }), { name: "Trip" })];
  const client = new Client("ann", given, { loggedOut: () => {}, changed: () => {} });
  await client.start();
  await channel.connect();
  await clock.pass(1_000);
  await client.show(CONV);
  await settle();
  const conversation = client.conversations.get(CONV);
  if (!conversation) throw new Error("no such group");
  const { roster } = conversation;
  const members = () =>
    [...roster.members.values()].map(({ uid, role }) =>
      role === "member" ? uid : `${uid} ${role}`,
    );
  const state = (seq: number) => stateText(conversation, seq);
  return { ...given, client, conversation, roster, members, state };
}
