/** The REST API over fetch, with the browser's session cookie. */

import type { Api } from "../state/ports.ts";
import { Failure, UNREACHABLE } from "../wire/failure.ts";
import type {
  ConversationDetails,
  ConversationItem,
  Entered,
  Entry,
  Invitation,
  InviteLink,
  LoginSession,
  MadeLink,
  Member,
  Page,
  Person,
  Profile,
  ProfileChange,
  PublicGroup,
  Reader,
} from "../wire/wire.ts";

interface Problem {
  code?: unknown;
  detail?: string;
  title?: string;
  retry_after_ms?: number;
}

type Query = Record<string, string | number | null>;

export interface RestSettings {
  base: string;
  /** How long an answer is waited for. */
  timeoutMs: number;
  /** Conversations, members or readers a page. */
  listLimit: number;
}

export const REST_DEFAULTS: RestSettings = { base: "/api/v1", timeoutMs: 15_000, listLimit: 200 };

export class Rest implements Api {
  readonly #settings: RestSettings;

  constructor(settings: RestSettings = REST_DEFAULTS) {
    this.#settings = settings;
  }

  async register(uid: string, name: string, password: string): Promise<Person> {
    const body = { uid, name, password };
    return (await this.#call<{ user: Person }>("POST", "/register", { body })).user;
  }

  async login(uid: string, password: string): Promise<Person> {
    return (await this.#call<{ user: Person }>("POST", "/login", { body: { uid, password } })).user;
  }

  logout(): Promise<void> {
    return this.#call("POST", "/logout");
  }

  me(): Promise<Profile> {
    return this.#call("GET", "/me");
  }

  changeMe(change: ProfileChange): Promise<Profile> {
    return this.#call("PATCH", "/me", { body: change });
  }

  changePassword(old: string, next: string): Promise<void> {
    return this.#call("POST", "/me/password", { body: { old, new: next } });
  }

  async sessions(): Promise<LoginSession[]> {
    return (await this.#call<Page<LoginSession>>("GET", "/sessions")).items;
  }

  endSession(id: string): Promise<void> {
    return this.#call("DELETE", `/sessions/${encodeURIComponent(id)}`);
  }

  async findPeople(q: string): Promise<Person[]> {
    return (await this.#call<Page<Person>>("GET", "/users", { query: { q } })).items;
  }

  person(uid: string): Promise<Person> {
    return this.#call("GET", `/users/${encodeURIComponent(uid)}`);
  }

  conversations(before: string | null): Promise<Page<ConversationItem>> {
    const query = { before, limit: this.#settings.listLimit };
    return this.#call("GET", "/conversations", { query });
  }

  conversation(id: string): Promise<ConversationDetails> {
    return this.#call("GET", conversationPath(id));
  }

  eventsBefore(id: string, before: number, limit: number): Promise<Page<Entry, number>> {
    return this.#call("GET", conversationPath(id, "/events"), { query: { before, limit } });
  }

  eventsAfter(id: string, after: number, limit: number): Promise<Page<Entry, number>> {
    return this.#call("GET", conversationPath(id, "/events"), { query: { after, limit } });
  }

  members(id: string, after: string): Promise<Page<Member>> {
    const query = { after, limit: this.#settings.listLimit };
    return this.#call("GET", conversationPath(id, "/members"), { query });
  }

  readers(id: string, seq: number, after: string): Promise<Page<Reader>> {
    const query = { seq, after, limit: this.#settings.listLimit };
    return this.#call("GET", conversationPath(id, "/receipts"), { query });
  }

  async invitations(): Promise<Invitation[]> {
    return (await this.#call<Page<Invitation>>("GET", "/invitations")).items;
  }

  answerInvitation(id: string, accept: boolean): Promise<Entered> {
    return this.#call("POST", `/invitations/${encodeURIComponent(id)}`, { body: { accept } });
  }

  async inviteLinks(id: string): Promise<InviteLink[]> {
    return (await this.#call<Page<InviteLink>>("GET", conversationPath(id, "/invites"))).items;
  }

  makeInviteLink(id: string, expires_in_s: number): Promise<MadeLink> {
    return this.#call("POST", conversationPath(id, "/invites"), { body: { expires_in_s } });
  }

  revokeInviteLink(id: string, link: string): Promise<void> {
    return this.#call("DELETE", conversationPath(id, `/invites/${encodeURIComponent(link)}`));
  }

  enterByLink(code: string): Promise<Entered> {
    return this.#call("POST", `/invites/${encodeURIComponent(code)}`);
  }

  async publicGroups(q: string): Promise<PublicGroup[]> {
    return (await this.#call<Page<PublicGroup>>("GET", "/groups", { query: { q } })).items;
  }

  enterPublic(id: string): Promise<Entered> {
    return this.#call("POST", `/groups/${encodeURIComponent(id)}/join`);
  }

  async #call<T>(
    method: string,
    path: string,
    { query, body }: { query?: Query; body?: object } = {},
  ): Promise<T> {
    const response = await this.#fetch(this.#settings.base + path + search(query), {
      method,
      ...(body && { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }),
    });
    if (!response.ok) throw await failureOf(response);
    return response.status === 204 ? (undefined as T) : await bodyOf<T>(response);
  }

  async #fetch(url: string, init: RequestInit): Promise<Response> {
    try {
      const signal = AbortSignal.timeout(this.#settings.timeoutMs);
      return await fetch(url, { ...init, signal, credentials: "same-origin", cache: "no-store" });
    } catch {
      throw new Failure(UNREACHABLE, "the server did not answer");
    }
  }
}

function conversationPath(id: string, part = ""): string {
  return `/conversations/${encodeURIComponent(id)}${part}`;
}

function search(query: Query | undefined): string {
  const given = Object.entries(query ?? {}).flatMap(([key, value]) =>
    value === null ? [] : [[key, String(value)]],
  );
  return given.length === 0 ? "" : `?${new URLSearchParams(given)}`;
}

/** Rejects where the answer breaks off, or is none of a webchat server's. */
async function bodyOf<T>(response: Response): Promise<T> {
  try {
    return (await response.json()) as T;
  } catch {
    throw new Failure(UNREACHABLE, "the server's answer did not arrive");
  }
}

async function failureOf(response: Response): Promise<Failure> {
  const problem = (await response.json().catch(() => ({}))) as Problem;
  const message = problem.detail ?? problem.title ?? response.statusText;
  return new Failure(
    typeof problem.code === "string" ? problem.code : codeOfStatus(response.status),
    message,
    problem.retry_after_ms ?? retryAfterMs(response),
  );
}

/** The Retry-After header in ms where it says seconds (RFC 9110, section 10.2.3). */
function retryAfterMs(response: Response): number | undefined {
  const seconds = Number(response.headers.get("Retry-After") ?? Number.NaN);
  return Number.isFinite(seconds) ? seconds * 1000 : undefined;
}

/** For answers that no webchat server wrote, such as a gateway's: of what there is they tell nothing. */
function codeOfStatus(status: number): string {
  if (status === 401) return "unauthenticated";
  return status === 429 ? "rate_limited" : "unavailable";
}
