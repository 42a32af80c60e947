/** What happened, in plain words. Pure. */

import { type Failure, TIMED_OUT, UNREACHABLE } from "../wire/failure.ts";
import { authorOf, type Entry, isGroup, type Uid } from "../wire/wire.ts";
import { type Conversation, uidsOf } from "./conversation.svelte.ts";

export type NameOf = (uid: Uid) => string;

/** Why something failed, for people. `known`: better words for some codes, where it was tried. */
export function explain(failure: Failure, known: Record<string, string> = {}): string {
  const words = known[failure.code];
  if (words) return words;
  switch (failure.code) {
    case UNREACHABLE:
    case TIMED_OUT:
      return "The server cannot be reached. Check the connection and try again.";
    case "rate_limited":
      return `Too many attempts. Try again ${wait(failure.retryAfterMs)}.`;
    case "unavailable":
      return "The server cannot do this right now. Try again in a moment.";
    case "internal":
      return "Something went wrong on the server. Try again.";
    default:
      return sentence(failure.message);
  }
}

function wait(ms: number | undefined): string {
  if (ms === undefined) return "later";
  const seconds = Math.ceil(ms / 1000);
  if (seconds >= 90) return `in ${Math.ceil(seconds / 60)} minutes`;
  return seconds <= 1 ? "in a second" : `in ${seconds} seconds`;
}

/** `text` as a sentence: a capital letter, a full stop. */
export function sentence(text: string): string {
  const trimmed = text.trim() || "That did not work";
  const ended = /[.!?…]$/.test(trimmed) ? trimmed : `${trimmed}.`;
  return ended.charAt(0).toUpperCase() + ended.slice(1);
}

/** What a notice of the log says: "Ann added Bob". */
export function noticeText(entry: Entry, me: Uid, nameOf: NameOf): string {
  const name = (uid: Uid) => (uid === me ? "You" : nameOf(uid));
  const author = name(authorOf(entry));
  if (entry.EvtType === "create") return `${author} created the group`;
  if (entry.EvtType === "depart") return `${author} left`;
  const added = uidsOf(entry).map((uid) => (uid === me ? "you" : nameOf(uid)));
  return `${author} added ${listed(added)}`;
}

/** The line the list shows under a conversation's name. */
export function previewText(entry: Entry, me: Uid, nameOf: NameOf): string {
  if (entry.EvtType !== "message") return noticeText(entry, me, nameOf);
  const text = entry.Deleted ? "Message deleted" : entry.Body;
  const author = authorOf(entry);
  if (author === me) return `You: ${text}`;
  return isGroup(entry.ConvID) ? `${nameOf(author)}: ${text}` : text;
}

/** How far one's own message at `seq` has come: "Read", in a group "Read by 2 of 5". */
export function stateText(conversation: Conversation, seq: number): string {
  const { places, readers, other, me } = conversation;
  if (other !== null) return placeText(other === me ? undefined : places.get(other), seq);
  const counted = readers.get(seq);
  if (counted) return counted.displayed > 0 ? `Read by ${counted.displayed}` : "Sent";
  const all = [...places.values()];
  const read = all.filter((place) => place.displayed >= seq).length;
  if (read > 0) return `Read by ${read} of ${all.length}`;
  return all.length > 0 && all.every((place) => place.delivered >= seq) ? "Delivered" : "Sent";
}

function placeText(place: { delivered: number; displayed: number } | undefined, seq: number) {
  if (place && place.displayed >= seq) return "Read";
  return place && place.delivered >= seq ? "Delivered" : "Sent";
}

function listed(names: string[]): string {
  if (names.length < 2) return names[0] ?? "nobody";
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
