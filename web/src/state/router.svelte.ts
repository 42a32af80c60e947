/** The page's address as state, and moving to another one. */

export type Route =
  | { page: "home" }
  | { page: "login" }
  | { page: "register" }
  | { page: "settings" }
  | { page: "conversation"; id: string }
  | { page: "unknown" };

export function routeOf(path: string): Route {
  const [first, second, ...rest] = path.split("/").filter(Boolean);
  if (first === undefined) return { page: "home" };
  if (first === "c" && second !== undefined && rest.length === 0) {
    return { page: "conversation", id: decoded(second) };
  }
  if (second !== undefined) return { page: "unknown" };
  if (first === "login" || first === "register" || first === "settings") return { page: first };
  return { page: "unknown" };
}

/** The address of a conversation; ids have only characters that a path may have as they are. */
export function pathOf(conv: string): string {
  return `/c/${encodeURIComponent(conv).replaceAll("%3A", ":").replaceAll("%40", "@")}`;
}

/** Where an invite link leads. The code is behind the `#`, so that no server's log gets it. */
export function invitePath(code: string): string {
  return `/${INVITE}${encodeURIComponent(code)}`;
}

const INVITE = "#invite=";

/** The state of a step of the history that only lies over the one before. */
const OVER = { over: true };

export class Router {
  #path = $state("/");
  /** Where one wanted to be who came to log in or to register. */
  #wanted = "/";
  /** The code of the invite link that led here, until somebody has taken it up. */
  invite = $state<string | null>(null);
  /** Something lies over the page, and a step back takes it away. */
  over = $state(false);
  readonly route = $derived(routeOf(this.#path));
  readonly #window: Window;
  readonly #beforeStep = new Set<() => void>();

  constructor(window: Window) {
    this.#window = window;
    this.#read();
    window.addEventListener("popstate", () => {
      for (const act of [...this.#beforeStep]) act();
      this.#read();
    });
  }

  /** Does `act` before each step through the history is followed, until what is returned is called.
   * A listener of its own would be no sooner: browsers heed no order but that of their addition. */
  beforeStep(act: () => void): () => void {
    this.#beforeStep.add(act);
    return () => this.#beforeStep.delete(act);
  }

  /** Goes on without the code in the address. */
  forgetInvite(): void {
    this.invite = null;
    this.replace(this.#path);
  }

  go(path: string): void {
    if (!isEntrance(this.route)) this.#wanted = this.#path;
    if (this.over) this.replace(path);
    else if (path !== this.#window.location.pathname) {
      this.#window.history.pushState(null, "", path);
    }
    this.#path = path;
  }

  /** Something comes to lie over the page. */
  cover(): void {
    this.#window.history.pushState(OVER, "", this.#path);
    this.over = true;
  }

  /** What lies over the page has gone, if something did. */
  uncover(): void {
    if (this.over) this.#window.history.back();
    this.over = false;
  }

  /** Goes to log in, and from there to the beginning: somebody else may be next. */
  leave(): void {
    this.go("/login");
    this.#wanted = "/";
  }

  /** Who is in has no use for the ways in: logging in leads back, registering to the beginning. */
  enter(): void {
    const { page } = this.route;
    if (page === "login") this.replace(this.#wanted);
    else if (page === "register") this.replace("/");
  }

  #read(): void {
    const { pathname, hash } = this.#window.location;
    this.#path = pathname;
    this.over = this.#window.history.state?.over === true;
    if (hash.startsWith(INVITE)) this.invite = decoded(hash.slice(INVITE.length));
  }

  /** Goes there without leaving this address behind. */
  replace(path: string): void {
    this.#window.history.replaceState(null, "", path);
    this.#path = path;
    this.over = false;
  }
}

function isEntrance({ page }: Route): boolean {
  return page === "login" || page === "register";
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
