/** Finds addresses in a text, so that they can be shown as links. Pure; makes no markup. */

export interface Part {
  text: string;
  /** Where it leads; only http and https. */
  href?: string;
}

const ADDRESS = /\bhttps?:\/\/[^\s<>"'`]+/gi;
/** What ends a sentence rather than an address. */
const TRAILING = /[.,;:!?…]+$/;

export function partsOf(text: string): Part[] {
  const parts: Part[] = [];
  let at = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const address = trimmed(match[0]);
    const href = hrefOf(address);
    if (href === null) continue;
    if (match.index > at) parts.push({ text: text.slice(at, match.index) });
    parts.push({ text: address, href });
    at = match.index + address.length;
  }
  if (at < text.length) parts.push({ text: text.slice(at) });
  return parts;
}

function trimmed(address: string): string {
  let bare = address.replace(TRAILING, "");
  while (bare.endsWith(")") && !balanced(bare)) bare = bare.slice(0, -1).replace(TRAILING, "");
  return bare;
}

function balanced(text: string): boolean {
  return text.split("(").length >= text.split(")").length;
}

function hrefOf(address: string): string | null {
  try {
    const { protocol, href } = new URL(address);
    return protocol === "http:" || protocol === "https:" ? href : null;
  } catch {
    return null;
  }
}
