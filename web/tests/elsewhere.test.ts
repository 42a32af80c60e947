/** What pages of one browser know of whether somebody looks at the others. */

import { describe, expect, test } from "vitest";
import { Elsewhere } from "../src/state/elsewhere.svelte.ts";
import type { Looks } from "../src/state/ports.ts";
import { BrowserLooks } from "../src/transport/browser.ts";
import { ManualClock } from "./fakes.ts";

/** Pages of one browser; those that are `gone` tell nothing any more. */
function browser(now = new ManualClock()) {
  const heeding = new Map<string, (page: string, present: boolean) => void>();
  const gone = new Set<string>();
  const looks = (own: string): Looks => ({
    announce: (present) => {
      if (gone.has(own)) return;
      for (const [page, act] of heeding) if (page !== own) act(own, present);
    },
    heed: (act) => void heeding.set(own, act),
  });
  const [one, two, three] = ["page-1", "page-2", "page-3"].map(
    (own) => new Elsewhere(looks(own), now),
  ) as [Elsewhere, Elsewhere, Elsewhere];
  const present = () => [one, two, three].map((page) => page.present);
  return { clock: now, gone, one, two, present };
}

describe("who looks elsewhere", () => {
  test("is known to the other pages, for as long as they look", async () => {
    const { clock, one, present } = browser();
    one.tell(false);
    expect(present()).toEqual([false, false, false]);
    one.tell(true);
    expect(present()).toEqual([false, true, true]);
    await clock.pass(60_000);
    expect(present()).toEqual([false, true, true]);
    one.tell(false);
    expect(present()).toEqual([false, false, false]);
    await clock.pass(60_000);
    expect(present()).toEqual([false, false, false]);
  });

  test("goes from page to page, in whichever order these tell it", () => {
    const { one, two, present } = browser();
    one.tell(true);
    two.tell(true);
    one.tell(false);
    expect(present()).toEqual([true, false, true]);
  });

  test("is nobody before long, where the page that told it is gone", async () => {
    const { clock, gone, one, present } = browser();
    one.tell(true);
    await clock.pass(60_000);
    gone.add("page-1");
    await clock.pass(4_000);
    expect(present()).toEqual([false, true, true]);
    await clock.pass(2_000);
    expect(present()).toEqual([false, false, false]);
  });

  test("is nobody either once the clock is set back after that", () => {
    let now = 7_200_000;
    const clock = Object.assign(new ManualClock(), { now: () => now });
    const { one, present } = browser(clock);
    one.tell(true);
    now = 3_600_000;
    expect(present()).toEqual([false, false, false]);
  });

  test("is told by the name of the page", async () => {
    const [one, two] = [new BrowserLooks("page-1"), new BrowserLooks("page-2")];
    const heard = new Promise((resolve) => two.heed((...look) => resolve(look)));
    one.announce(true);
    expect(await heard).toEqual(["page-1", true]);
  });
});
