/** What components find without being handed it: the session, the address, the reader's attention, here or elsewhere, and how to get it, the day, the page's forms. */

import { createContext } from "svelte";
import type { Attention } from "../state/attention.svelte.ts";
import type { Client } from "../state/client.svelte.ts";
import type { Elsewhere } from "../state/elsewhere.svelte.ts";
import type { Notifier } from "../state/notifier.svelte.ts";
import type { Router } from "../state/router.svelte.ts";
import type { Session } from "../state/session.svelte.ts";
import type { Today } from "../state/today.svelte.ts";
import type { Forms } from "./action.svelte.ts";

export interface App {
  session: Session;
  router: Router;
  attention: Attention;
  elsewhere: Elsewhere;
  today: Today;
  notifier: Notifier;
}

export const [getApp, setApp] = createContext<App>();
export const [getClient, setClient] = createContext<Client>();
export const [getForms, setForms] = createContext<Forms>();
