/** What the list shows, row by row. Pure. */

import type { Conversation } from "../state/conversation.svelte.ts";
import { type Draft, writtenIn } from "../state/drafts.svelte.ts";
import type { Pending } from "../state/ports.ts";
import { actText, excerpt, type NameOf, previewText } from "../state/wording.ts";

export interface Row {
  /** The newest. */
  text: string;
  /** What is left to be done here, ahead of the text. */
  mark?: Mark | undefined;
  /** When that was said, in ms; null: nothing has been yet. */
  at: number | null;
}

export interface Mark {
  kind: "failed" | "draft";
  words: string;
}

/** Where in time the list has a conversation, in ms; null: it is not listed. What is only being
 * written is newer than all. `draft`: where nothing has been said yet. */
export function listedAt(
  conversation: Conversation,
  pending: readonly Pending[],
  draft: Draft | undefined,
): number | null {
  if (!conversation.named) return null;
  const written = draft && writtenIn(draft) !== undefined;
  return saidAt(conversation, pending) ?? (written ? Number.POSITIVE_INFINITY : null);
}

/** `draft`: undefined where it is seen elsewhere. */
export function rowOf(
  conversation: Conversation,
  pending: readonly Pending[],
  draft: Draft | undefined,
  nameOf: NameOf,
): Row {
  const waiting = waitingIn(conversation, pending);
  return {
    mark: markOf(pending, draft),
    text: waiting ? waitingText(waiting, nameOf) : lastText(conversation, nameOf),
    at: saidAt(conversation, pending),
  };
}

function saidAt(conversation: Conversation, pending: readonly Pending[]): number | null {
  const { last, toldAt } = conversation;
  return waitingIn(conversation, pending)?.at ?? last?.StoredAt ?? toldAt;
}

/** What waits to be sent is newer than anything the log has; what was refused may be old. */
function waitingIn({ last }: Conversation, pending: readonly Pending[]): Pending | undefined {
  const waiting = pending.findLast(isListed);
  if (waiting?.refusal === undefined) return waiting;
  return waiting.at > (last?.StoredAt ?? 0) ? waiting : undefined;
}

function waitingText(waiting: Pending, nameOf: NameOf): string {
  return waiting.kind === "create" ? actText(waiting, nameOf) : `You: ${excerpt(waiting.text)}`;
}

function lastText({ last, me }: Conversation, nameOf: NameOf): string {
  return last ? previewText(last, me, nameOf) : "";
}

function markOf(pending: readonly Pending[], draft: Draft | undefined): Mark | undefined {
  const failed = pending.some(
    ({ kind = "message", refusal }) => kind === "message" && refusal !== undefined,
  );
  if (failed) return { kind: "failed", words: "Not sent" };
  const written = draft && writtenIn(draft);
  return written === undefined ? undefined : { kind: "draft", words: `Draft: ${excerpt(written)}` };
}

function isListed({ kind = "message" }: Pending): boolean {
  return kind === "message" || kind === "create";
}

/** Whether `name` has every word of `query`, whatever their case and accents. */
export function matches(name: string, query: string): boolean {
  const folded = fold(name);
  return fold(query)
    .split(/\s+/)
    .every((word) => folded.includes(word));
}

function fold(text: string): string {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}
