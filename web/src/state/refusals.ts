/** Why what was done here did not come about, and what to do about it. Pure. */

import { Failure } from "../wire/failure.ts";
import { type Act, isTransient } from "../wire/wire.ts";
import type { Pending } from "./ports.ts";
import { explain } from "./wording.ts";

const WORDS: Record<string, string> = {
  not_a_member: "You are not in this group any more.",
  group_closed: "This group is closed.",
  unknown_user: "There is no such person.",
};

/** A change is well-formed: the server refuses it only where there is nothing left to change. */
const DELETED = "That message has been deleted.";
const TOO_LONG = "This message is too long. Shorten it or send it in parts.";
const BY_ACT: Partial<Record<Act, Record<string, string>>> = {
  message: { too_large: TOO_LONG },
  edit: { bad_request: DELETED, too_large: TOO_LONG },
  delete: { forbidden: "Only its author and the admins may delete it." },
};

/** Why `item` was refused, as a sentence; undefined if it was not. */
export function reasonOf({ kind = "message", refusal, code }: Pending): string | undefined {
  if (refusal === undefined) return undefined;
  return explain(new Failure(code ?? "", refusal), { ...WORDS, ...BY_ACT[kind] });
}

/** Whether what refused `item` can pass by itself. A message may always be tried again. */
export function mayRetry({ kind = "message", code }: Pending): boolean {
  return kind === "message" || code === undefined || isTransient(code);
}

/** Whether nobody misses `item` where `failure` has ended it: a reaction, or what is so already. */
export function isMoot({ kind = "message" }: Pending, { code }: Failure): boolean {
  if (kind === "delete") return code === "bad_request";
  if (kind === "depart") return code === "not_a_member";
  return kind === "react";
}
