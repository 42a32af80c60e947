/** Where "New" is drawn in an open log, and how much it says is new. */

import { expect, test } from "vitest";
import { News } from "../src/components/news.svelte.ts";
import { entry } from "./fakes.ts";
import { CONV, live } from "./page.ts";

/** A page at whose end somebody looks, all the time. */
async function looking(last: number) {
  const page = await live(last);
  await page.client.show(CONV);
  const conversation = page.conversation();
  const news = new News(conversation);
  const look = () => {
    news.connectionBack(conversation.newest, page.client.connection.since);
    page.client.seen(conversation, conversation.position);
  };
  const miss = async (seqs: number[]) => {
    await page.channel.lose();
    news.connectionLost();
    page.channel.time = entry(seqs.at(-1) ?? conversation.position).StoredAt;
    await page.channel.connect();
    for (const seq of seqs) {
      page.channel.tell(entry(seq));
      look();
    }
  };
  return { ...page, news, look, miss };
}

test("what came while the connection was lost is new, what comes after it is not", async () => {
  const { channel, look, miss, news } = await looking(3);
  channel.tell(entry(4));
  look();
  expect([news.after, news.missed]).toEqual([null, 0]);
  await miss([5, 6]);
  expect([news.after, news.missed]).toEqual([4, 2]);
  news.missed = 0;
  channel.tell(entry(7));
  look();
  expect([news.after, news.missed]).toEqual([4, 0]);
});

test("a connection that brings nothing moves nothing", async () => {
  const { look, miss, news } = await looking(3);
  await miss([4]);
  await miss([]);
  look();
  expect([news.after, news.missed]).toEqual([3, 1]);
});

test("what was passed over is new, too", async () => {
  const { channel, look, miss, news } = await looking(3);
  await miss([]);
  channel.tell({ EvtType: "skip", ConvID: CONV, Seq: 299, N: 299, more: true });
  channel.tell(entry(300, { StoredAt: channel.time }));
  look();
  expect([news.after, news.missed]).toEqual([3, 297]);
});
