/** What a browser is called as a device: the same over a reload, where there is room to keep it. */

import { expect, test } from "vitest";
import { deviceOf } from "../src/transport/browser.ts";
import { FakeStorage } from "./browser.ts";

test("a device keeps its name", () => {
  const storage = new FakeStorage();
  expect(deviceOf(storage)).toBe(deviceOf(storage));
});

test("a browser that keeps nothing is a device all the same", () => {
  const full = new FakeStorage();
  full.full = true;
  for (const storage of [full, null]) expect(deviceOf(storage)).toMatch(/^[0-9a-f-]{36}$/);
});
