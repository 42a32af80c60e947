/** Where things are in a log that scrolls, and ways among them. All measures are in pixels. */

/** The messages and notices on the page, oldest first. */
export function articlesIn(log: HTMLElement): HTMLElement[] {
  return Array.from(log.querySelectorAll<HTMLElement>("article"));
}

/** The one of the entry `seq`. */
export function articleOf(log: HTMLElement, seq: number): HTMLElement | null {
  return log.querySelector<HTMLElement>(`article[data-seq="${seq}"]`);
}

/** The line that says where the news begin, if it is on the page. */
export function newLineIn(log: HTMLElement): Element | null {
  return log.querySelector(".new");
}

/** What opens a message's menu. */
export function openerIn(article: Element | null | undefined): HTMLElement | null {
  return article?.querySelector<HTMLElement>('[aria-haspopup="menu"]') ?? null;
}

/** The arrows move from one message's menu to the next message's; `ends` are further keys' acts. */
export function step(
  log: HTMLElement,
  event: KeyboardEvent,
  ends: Readonly<Partial<Record<string, () => void>>>,
): void {
  const act = event.altKey || event.metaKey || event.shiftKey ? undefined : ends[event.key];
  if (act) {
    event.preventDefault();
    act();
    return;
  }
  const by = event.key === "ArrowUp" ? -1 : event.key === "ArrowDown" ? 1 : 0;
  const openers = by === 0 ? [] : articlesIn(log).flatMap((article) => openerIn(article) ?? []);
  const at = openers.indexOf(event.target as HTMLElement);
  if (at < 0) return;
  event.preventDefault();
  openers[at + by]?.focus();
}

export function seqOf(article: HTMLElement | null | undefined): number {
  return Number(article?.dataset["seq"] ?? 0);
}

export function firstInView(log: HTMLElement): HTMLElement | undefined {
  const { top } = log.getBoundingClientRect();
  return articlesIn(log).find((article) => article.getBoundingClientRect().bottom > top);
}

/** The `Seq` of the lowest entry in view; 0: there is none. */
export function lastSeqInView(log: HTMLElement): number {
  const { bottom } = log.getBoundingClientRect();
  const inView = (article: HTMLElement) => article.getBoundingClientRect().top < bottom;
  return seqOf(articlesIn(log).findLast((article) => seqOf(article) > 0 && inView(article)));
}

/** How far `element` begins below the log's top. */
export function below(log: HTMLElement, element: Element): number {
  return element.getBoundingClientRect().top - log.getBoundingClientRect().top;
}

export function fromBottom(log: HTMLElement): number {
  return log.scrollHeight - log.scrollTop - log.clientHeight;
}
