/** Puts the application together: the one place that knows transport, storage and page. */

import { mount } from "svelte";
import App from "./App.svelte";
import { MemoryLogs } from "./db/memory.ts";
import { forgetAllLogs, forgetLogs, openStores } from "./db/stores.ts";
import { Attention } from "./state/attention.svelte.ts";
import { Client, type ClientOwner } from "./state/client.svelte.ts";
import { Drafts } from "./state/drafts.svelte.ts";
import { Elsewhere } from "./state/elsewhere.svelte.ts";
import { Notifier } from "./state/notifier.svelte.ts";
import type { Keepsakes, LogStore } from "./state/ports.ts";
import { pathOf, Router } from "./state/router.svelte.ts";
import { Session } from "./state/session.svelte.ts";
import { Today } from "./state/today.svelte.ts";
import {
  BrowserLogins,
  BrowserLooks,
  BrowserPages,
  browserClock,
  browserNetwork,
  deviceOf,
} from "./transport/browser.ts";
import { Rest } from "./transport/rest.ts";
import { SocketChannel } from "./transport/socket.ts";
import "./styles/tokens.css";
import "./styles/base.css";

const rest = new Rest();
const pages = new BrowserPages();
const router = new Router(window);
const attention = new Attention();
attention.follow(document);
const elsewhere = new Elsewhere(new BrowserLooks(pages.own), browserClock);
const notifier = new Notifier(window.Notification, storage(), attention, elsewhere, (conv) => {
  window.focus();
  router.go(pathOf(conv));
});
notifier.follow(window);

/** Browsers that forbid storage throw at its mere mention. */
function storage(): Storage | null {
  try {
    return window.localStorage;
  } catch {
    return null;
  }
}

/** What cannot be forgotten is not gone on from, either. */
async function emptied(logs: LogStore): Promise<LogStore> {
  try {
    await logs.clear();
    return logs;
  } catch {
    return new MemoryLogs();
  }
}

async function makeClient(uid: string, fresh: boolean, owner: ClientOwner): Promise<Client> {
  const { outbox, logs: kept } = await openStores(uid, browserClock);
  const logs = fresh ? await emptied(kept) : kept;
  const channel = new SocketChannel(browserClock, browserNetwork);
  const drafts = new Drafts(uid, storage());
  const world = { api: rest, channel, clock: browserClock, pages, outbox, logs, drafts, notifier };
  return new Client(uid, { ...world, device: deviceOf(storage()) }, owner);
}

const keepsakes: Keepsakes = {
  forgetLogs: (uid) => forgetLogs(uid, browserClock),
  forgetAllLogs: () => forgetAllLogs(browserClock),
  forgetDrafts: (uid) => new Drafts(uid, storage()).clear(),
};

const session = new Session(rest, browserClock, new BrowserLogins(), makeClient, keepsakes);
addEventListener("storage", (event) => session.client?.drafts.follow(event));
const today = new Today(browserClock);
today.follow(document);

const target = document.getElementById("app");
if (!target) throw new Error("the page has no place for the application");
const app = { session, router, attention, elsewhere, notifier, today };
mount(App, { target, props: { app } });
void session.start();
