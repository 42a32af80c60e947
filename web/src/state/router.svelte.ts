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

export class Router {
  #path = $state("/");
  readonly route = $derived(routeOf(this.#path));
  readonly #window: Window;

  constructor(window: Window) {
    this.#window = window;
    this.#path = window.location.pathname;
    window.addEventListener("popstate", () => {
      this.#path = window.location.pathname;
    });
  }

  go(path: string): void {
    if (path !== this.#window.location.pathname) this.#window.history.pushState(null, "", path);
    this.#path = path;
  }

  /** Goes there without leaving this address behind. */
  replace(path: string): void {
    this.#window.history.replaceState(null, "", path);
    this.#path = path;
  }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
