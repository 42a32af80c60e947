/** A page of ann's over fakes, for tests of what it knows and tells. */

import { Client } from "../src/state/client.svelte.ts";
import type { Entry, ProfileChange } from "../src/wire/wire.ts";
import { entry, item, world } from "./fakes.ts";

export const CONV = "dm:ann:bob";

export function history(to: number): Entry[] {
  return Array.from({ length: to }, (_, at) => entry(at + 1));
}

/** A live page of ann's, whose conversation with bob ends at `last`; 0: there is none. */
export async function live(last: number, given: ReturnType<typeof world> = world()) {
  const { api, channel, clock } = given;
  if (last > 0 && api.list.length === 0) {
    api.logs.set(CONV, history(last));
    api.list = [item(entry(last))];
  }
  let loggedOut = 0;
  const changes: ProfileChange[] = [];
  const client = new Client("ann", given, {
    loggedOut: () => {
      loggedOut += 1;
    },
    changed: (change) => void changes.push(change),
  });
  await client.start();
  await channel.connect();
  await clock.pass(1_000);
  const conversation = () => {
    const found = client.conversations.get(CONV);
    if (!found) throw new Error("no such conversation");
    return found;
  };
  const seqs = () => conversation().entries.map((each) => each.Seq);
  return { ...given, client, conversation, seqs, changes, loggedOut: () => loggedOut };
}
