/** What people read: links, notices, reasons, days. */

import { describe, expect, test } from "vitest";
import { copy } from "../src/components/clipboard.ts";
import { quoteOf } from "../src/components/lines.ts";
import { dayName, sameDay, shortWhen, timeOfDay } from "../src/state/dates.ts";
import { partsOf } from "../src/state/links.ts";
import { invitePath, pathOf, Router, routeOf } from "../src/state/router.svelte.ts";
import { Today } from "../src/state/today.svelte.ts";
import {
  actText,
  askedText,
  excerpt,
  explain,
  lossText,
  noticeText,
  previewText,
  sentence,
} from "../src/state/wording.ts";
import { asFailure, Failure, UNREACHABLE } from "../src/wire/failure.ts";
import type { Act } from "../src/wire/wire.ts";
import { entry, ManualClock } from "./fakes.ts";

const nameOf = (uid: string) => uid.charAt(0).toUpperCase() + uid.slice(1);

describe("links", () => {
  const links = (text: string) =>
    partsOf(text).flatMap((part) => (part.href === undefined ? [] : [part.text]));

  test.each([
    ["see https://a.example/x.", ["https://a.example/x"]],
    ["(https://a.example/x_(y))", ["https://a.example/x_(y)"]],
    ["http://a.example, https://b.example!", ["http://a.example", "https://b.example"]],
    ["javascript:alert(1) ftp://a.example data:text/html,x", []],
    ["https://", []],
    ["<https://a.example/>", ["https://a.example/"]],
    ["(see (https://a.example/x.).)", ["https://a.example/x"]],
    ["https://a.example/(x)...y)?", ["https://a.example/(x)...y"]],
  ])("%s", (text, found) => {
    expect(links(text)).toEqual(found);
  });

  test.each([")", "."])("are found at once before any number of %s", (mark) => {
    const begun = performance.now();
    expect(links(`http://a.example/${mark.repeat(50_000)}`)).toEqual(["http://a.example/"]);
    links(`http://a.example/${mark.repeat(50_000)}x`);
    expect(performance.now() - begun).toBeLessThan(1_000);
  });

  test("lose nothing of the text", () => {
    const text = "a https://a.example/b) c\n<b>https://c.example?d=e&f=g</b> ";
    expect(
      partsOf(text)
        .map((part) => part.text)
        .join(""),
    ).toBe(text);
  });
});

describe("notices", () => {
  const notice = (kind: string, by: string, ...uids: string[]) =>
    noticeText(
      entry(1, { EvtType: kind, Originated: by, Body: JSON.stringify(uids) }),
      "ann",
      nameOf,
    );

  test("say who did what", () => {
    expect(notice("create", "bob", "ann")).toBe("Bob made this group");
    expect(notice("join", "bob", "ann", "cleo", "dan")).toBe("Bob added you, Cleo and Dan");
    expect(notice("join", "ann", "cleo")).toBe("You added Cleo");
    expect(notice("depart", "cleo")).toBe("Cleo left");
  });

  test("say what was done to the group", () => {
    const said = (kind: string, body: unknown) =>
      noticeText(
        entry(1, { EvtType: kind, Originated: "bob", Body: JSON.stringify(body) }),
        "ann",
        nameOf,
      );
    expect(said("remove", ["ann", "cleo"])).toBe("Bob removed you and Cleo");
    expect(said("role", { uid: "ann", role: "admin" })).toBe("Bob made you an admin");
    expect(said("role", { uid: "cleo", role: "member" })).toBe("Bob made Cleo a member again");
    expect(said("group", { name: "Trip" })).toBe("Bob named this group “Trip”");
    expect(said("group", { announcements: true })).toBe("Bob let only admins write here");
    expect(said("group", { history_open: false })).toBe(
      "Bob let new members see no earlier messages",
    );
    expect(said("group", { public: true })).toBe("Bob made this group public");
    expect(said("close", "")).toBe("Bob closed this group");
    expect(said("join", ["bob"])).toBe("Bob joined");
  });

  test("name some of many, and count the rest", () => {
    const many = Array.from({ length: 1000 }, (_, at) => `p${at}`);
    expect(notice("join", "bob", ...many)).toBe(
      "Bob added P0, P1, P2, P3, P4, P5, P6 and 993 others",
    );
  });

  test("survive a list that is none", () => {
    const broken = entry(1, { EvtType: "join", Body: "no list" });
    expect(noticeText(broken, "ann", nameOf)).toBe("Bob added nobody");
  });
});

describe("acts that are no messages", () => {
  test("say what goes on, or what did not", () => {
    const act = (kind: Act, text: string, refusal?: string) =>
      actText(
        {
          ...{ id: "1", conv: "group_x", kind, text, at: 1, order: 1, owner: "page-1" },
          ...(refusal !== undefined && { refusal }),
        },
        nameOf,
      );
    expect(act("create", "[]")).toBe("Making this group…");
    expect(act("refer", '["bob"]')).toBe("Adding Bob…");
    expect(act("refer", '["bob"]', "no")).toBe("Bob could not be added.");
    expect(act("remove", '["bob"]', "no")).toBe("Bob could not be removed.");
    expect(act("depart", "")).toBe("Leaving…");
    expect(act("edit", "better", "no")).toContain("“better”");
  });
});

describe("who is asked first", () => {
  test("is named with what comes next", () => {
    const text = (asked: string[], mayBeIn = false) => askedText({ asked, mayBeIn }, nameOf);
    expect(text([])).toBe("");
    expect(text(["dora"])).toBe("Dora was invited, and joins by accepting.");
    expect(text(["dora", "ed"])).toBe("Dora and Ed were invited, and join by accepting.");
    expect(text(["ed"], true)).toBe("Ed is in already, or was invited and joins by accepting.");
  });
});

describe("what is lost by logging out", () => {
  const item = { id: "1", conv: "dm:ann:bob", text: "", at: 1, order: 1, owner: "page-1" };

  test("is counted in messages, or else in changes", () => {
    const change = { ...item, kind: "react" } as const;
    expect([[item], [item, change, item], [change], [change, change]].map(lossText)).toEqual([
      "1 message was not sent. If you log out, it is lost.",
      "2 messages were not sent. If you log out, they are lost.",
      "1 change was not sent. If you log out, it is lost.",
      "2 changes were not sent. If you log out, they are lost.",
    ]);
  });
});

describe("the beginning of a text", () => {
  const begin = "x".repeat(199);

  test("is all of it where it is short", () => {
    expect(excerpt(`${begin}y`)).toBe(`${begin}y`);
  });

  test("ends before what would not be whole", () => {
    expect(excerpt(`${begin}yz`)).toBe(`${begin}y…`);
    expect(excerpt(`${begin}👍 and so on`)).toBe(`${begin}…`);
    expect(excerpt(`${begin}👩‍👩‍👧 and so on`)).toBe(`${begin}…`);
    expect(excerpt(`y${begin}👍`)).toBe(`y${begin}…`);
  });

  test("is had of any number of marks on one letter, too", () => {
    expect(excerpt(`e${"\u0301".repeat(16_000)}`)).toHaveLength(201);
    expect(excerpt(`e${"\u{1D165}".repeat(8_000)}`)).toHaveLength(200);
  });

  test("is what the list, a reply and a draft show of it", () => {
    const long = "y".repeat(16_000);
    const [said, quoted] = [entry(1, { Body: long }), `${"y".repeat(200)}…`];
    expect(previewText(said, "ann", nameOf)).toBe(quoted);
    expect(quoteOf(said, "ann", nameOf).text).toBe(quoted);
  });
});

describe("the line under a name", () => {
  test("tells own messages and a group's authors apart", () => {
    const group = { ConvID: "group_x", From: "group_x", Originated: "bob" };
    expect(previewText(entry(1, { Body: "hi" }), "ann", nameOf)).toBe("hi");
    expect(previewText(entry(1, { Body: "hi", From: "ann" }), "ann", nameOf)).toBe("You: hi");
    expect(previewText(entry(1, { Body: "hi", ...group }), "ann", nameOf)).toBe("Bob: hi");
    expect(previewText(entry(1, { Body: "", Deleted: 2 }), "ann", nameOf)).toBe("Message deleted");
  });
});

describe("a message whose text is not here", () => {
  const changed = entry(3, { Body: "", Edited: 5 });
  const deleted = entry(4, { Body: "", Edited: 5, Deleted: 6 });

  test("says so in the list", () => {
    expect(previewText(changed, "ann", nameOf)).toBe(
      "Changed while you were not in the conversation",
    );
    expect(previewText(deleted, "ann", nameOf)).toBe("Message deleted");
  });

  test("says so where it is quoted", () => {
    expect(quoteOf(changed, "ann", nameOf).text).toBe(
      "Changed while you were not in the conversation",
    );
    expect(quoteOf(deleted, "ann", nameOf).text).toBe("Message deleted");
    expect(quoteOf(entry(7, { Body: "hi", Edited: 8 }), "ann", nameOf).text).toBe("hi");
  });
});

describe("reasons", () => {
  test("are sentences without codes", () => {
    expect(explain(new Failure(UNREACHABLE, ""))).toContain("cannot be reached");
    expect(explain(new Failure("rate_limited", "", 4_200))).toContain("in 5 seconds");
    expect(explain(new Failure("rate_limited", "", 300_000))).toContain("in 5 minutes");
    expect(explain(new Failure("bad_request", "the name is too long"))).toBe(
      "The name is too long.",
    );
    expect(explain(new Failure("conflict", "x"), { conflict: "Taken." })).toBe("Taken.");
    expect(sentence(" ")).toBe("That did not work.");
  });
});

describe("what cannot be copied", () => {
  test("is told of as the browser's doing, not the server's", async () => {
    const failure = await copy("text").catch((thrown) => explain(asFailure(thrown)));
    expect(failure).toBe("Your browser does not let this page copy: select the text and copy it.");
  });
});

describe("days", () => {
  const at = (day: number, hour = 12) => new Date(2026, 2, day, hour).getTime();

  test("have names near by and dates far off", () => {
    const now = at(20, 0);
    expect(dayName(at(20, 23), now)).toBe("Today");
    expect(dayName(at(19, 23), now)).toBe("Yesterday");
    expect(dayName(at(16), now)).toBe(
      new Intl.DateTimeFormat(undefined, { weekday: "long" }).format(at(16)),
    );
    expect(dayName(at(1), now)).toContain("2026");
  });

  test("end at midnight", () => {
    expect(sameDay(at(20, 0), at(20, 23))).toBe(true);
    expect(sameDay(at(20, 23), at(21, 0))).toBe(false);
  });

  test("of another year are told with it in the list", () => {
    expect(shortWhen(at(1), at(20))).not.toContain("2026");
    expect(shortWhen(at(1), at(400))).toContain("2026");
    expect(shortWhen(at(-100), at(20))).toContain("2025");
  });

  test("have their times as the reader writes them, without a zero ahead where there is none", () => {
    const short = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
    expect(timeOfDay(at(20, 8))).toBe(short.format(at(20, 8)));
  });

  test("move on at midnight on a page that stays open", async () => {
    const clock = new ManualClock();
    const today = new Today(clock);
    const [before, whole] = [clock.now(), 24 * 3_600_000];
    expect(dayName(before, today.at)).toBe("Today");
    await clock.pass(whole);
    expect(dayName(before, today.at)).toBe("Yesterday");
    await clock.pass(whole);
    expect(dayName(before + whole, today.at)).toBe("Yesterday");
  });

  test("move on when a page comes into view that slept over midnight", () => {
    let now = at(20, 23);
    const today = new Today({ now: () => now, after: () => () => {} });
    now = at(21, 7);
    today.look();
    expect(dayName(at(20, 23), today.at)).toBe("Yesterday");
  });
});

describe("addresses", () => {
  test.each(["dm:ann:bob", "dm:a.b@c+d:e-f_g", "group_x@y"])("%s is the same both ways", (id) => {
    expect(routeOf(pathOf(id))).toEqual({ page: "conversation", id });
  });

  test("of invite links keep the code behind the mark that no server sees", () => {
    expect(invitePath("a-b_c")).toBe("/#invite=a-b_c");
  });

  test("lead to their pages", () => {
    expect(routeOf("/")).toEqual({ page: "home" });
    expect(routeOf("/settings")).toEqual({ page: "settings" });
    expect(routeOf("/nowhere")).toEqual({ page: "unknown" });
    expect(routeOf("/c/a/b")).toEqual({ page: "unknown" });
    expect(routeOf("/c/%E0%A4%A")).toEqual({ page: "conversation", id: "%E0%A4%A" });
  });

  function routerAt(pathname: string) {
    const location = { pathname, hash: "" };
    const move = (_: unknown, __: string, path: string) => {
      location.pathname = path;
    };
    const history = { pushState: move, replaceState: move };
    const router = new Router({ location, history, addEventListener: () => {} } as never);
    return { router, at: () => location.pathname };
  }

  test("that nobody may see before the login are come back to, also by way of the registration", () => {
    const { router, at } = routerAt("/c/dm:ann:bob");
    for (const path of ["/register", "/login"]) router.go(path);
    router.enter();
    expect(at()).toBe("/c/dm:ann:bob");
  });

  test("are left with the login, and registering leads to the beginning", () => {
    const { router, at } = routerAt("/c/dm:ann:bob");
    router.leave();
    router.enter();
    expect(at()).toBe("/");
    router.go("/c/dm:ann:bob");
    router.go("/register");
    router.enter();
    expect(at()).toBe("/");
  });
});
