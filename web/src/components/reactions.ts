/** A message's reactions by what they say. Pure. */

import type { Uid } from "../wire/wire.ts";

export interface Chip {
  emoji: string;
  uids: Uid[];
}

/** Those who reacted alike together, the first way first; ahead of them what was there `before`, in the
 * order in which it was. */
export function chipsOf(
  reactions: Record<Uid, string> = {},
  before: readonly Pick<Chip, "emoji">[] = [],
): Chip[] {
  const byEmoji = new Map<string, Chip>();
  for (const [uid, emoji] of Object.entries(reactions)) {
    const chip = byEmoji.get(emoji) ?? { emoji, uids: [] };
    chip.uids.push(uid);
    byEmoji.set(emoji, chip);
  }
  const stayed = before.flatMap(({ emoji }) => byEmoji.get(emoji) ?? []);
  return [...new Set([...stayed, ...byEmoji.values()])];
}
