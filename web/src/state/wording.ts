/** What happened, in plain words. Pure. */

import { type Failure, TIMED_OUT, UNREACHABLE } from "../wire/failure.ts";
import {
  authorOf,
  type Entry,
  type GroupChange,
  isGroup,
  type Role,
  type RoleChange,
  type Uid,
} from "../wire/wire.ts";
import type { Conversation } from "./conversation.svelte.ts";
import type { Place } from "./places.ts";
import type { Pending } from "./ports.ts";
import { groupChangeOf, roleChangeOf, uidsOf } from "./timeline.ts";

export type NameOf = (uid: Uid) => string;

/** So much of a text is said of it elsewhere, in characters as a program counts them. */
const MOST_TEXT = 200;

const characters = Intl.Segmenter && new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** The beginning of a long `text`, where it is only pointed at; no character is cut in two. */
export function excerpt(text: string): string {
  if (text.length <= MOST_TEXT) return text;
  const begin = characters?.segment(text.slice(0, 2 * MOST_TEXT)).containing(MOST_TEXT)?.index;
  return `${text.slice(0, begin || wholeBefore(text, MOST_TEXT))}…`;
}

/** `at`, or the place before it where that is amid a pair of surrogates. */
function wholeBefore(text: string, at: number): number {
  return (text.codePointAt(at - 1) ?? 0) > 0xffff ? at - 1 : at;
}

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
  const uid = authorOf(entry);
  const author = uid === me ? "You" : nameOf(uid);
  const object = (other: Uid) => (other === me ? "you" : nameOf(other));
  switch (entry.EvtType) {
    case "create":
      return `${author} made this group`;
    case "depart":
      return `${author} left`;
    case "remove":
      return `${author} removed ${listed(uidsOf(entry), object)}`;
    case "role":
      return roleText(author, roleChangeOf(entry), object);
    case "group":
      return settingText(author, groupChangeOf(entry));
    case "close":
      return `${author} closed this group`;
    default:
      return joinText(uid, author, uidsOf(entry), object);
  }
}

function joinText(uid: Uid, author: string, added: Uid[], object: NameOf): string {
  if (added.length === 1 && added[0] === uid) return `${author} joined`;
  return `${author} added ${listed(added, object)}`;
}

const ROLE_WORDS: Record<Role, string> = {
  owner: "the owner of this group",
  admin: "an admin",
  member: "a member again",
};

function roleText(author: string, change: RoleChange | null, object: NameOf): string {
  if (!change) return `${author} changed a role`;
  return `${author} made ${object(change.uid)} ${ROLE_WORDS[change.role] ?? change.role}`;
}

function settingText(author: string, change: GroupChange): string {
  const { name, announcements, history_open, public: open } = change;
  if (name) return `${author} named this group “${name}”`;
  if (announcements !== undefined) {
    return `${author} let ${announcements ? "only admins" : "everybody"} write here`;
  }
  if (history_open !== undefined) {
    return `${author} let new members see ${history_open ? "" : "no "}earlier messages`;
  }
  if (open !== undefined) return `${author} made this group ${open ? "public" : "private"}`;
  return `${author} changed this group`;
}

/** An act that waits for its ack, or was refused: "Adding Bob…", "Bob could not be added." */
export function actText(item: Pending, nameOf: NameOf): string {
  const refused = item.refusal !== undefined;
  switch (item.kind) {
    case "create":
      return refused ? "This group could not be made." : "Making this group…";
    case "refer": {
      const people = listed(uidsOf({ Body: item.text }), nameOf);
      return refused ? `${people} could not be added.` : `Adding ${people}…`;
    }
    case "depart":
      return refused ? "You could not leave." : "Leaving…";
    case "remove": {
      const people = listed(uidsOf({ Body: item.text }), nameOf);
      return refused ? `${people} could not be removed.` : `Removing ${people}…`;
    }
    case "role":
    case "group":
    case "close":
      return refused ? "This group could not be changed." : "Changing this group…";
    case "edit":
      return refused ? `Your change was not saved: “${item.text}”.` : "Saving…";
    case "delete":
      return refused ? "A message could not be deleted." : "Deleting…";
    default:
      return refused ? "Your reaction was not saved." : "Saving…";
  }
}

/** What is told in place of a message's text that is not here (any more); null: its text is. */
export function absenceText({ Body, Deleted, Edited }: Entry): string | null {
  if (Deleted !== undefined) return "Message deleted";
  // Who was not in the group by then is not told the new text (docs/protocol.md, 10, "Groups").
  if (Edited !== undefined && Body === "") return "Changed while you were not in the conversation";
  return null;
}

/** What a message says, or what is told in place of it. */
export function messageText(entry: Entry): string {
  return absenceText(entry) ?? entry.Body;
}

/** The line the list shows under a conversation's name. */
export function previewText(entry: Entry, me: Uid, nameOf: NameOf): string {
  if (entry.EvtType !== "message") return noticeText(entry, me, nameOf);
  const text = excerpt(messageText(entry));
  const author = authorOf(entry);
  if (author === me) return `You: ${text}`;
  return isGroup(entry.ConvID) ? `${nameOf(author)}: ${text}` : text;
}

/** How far one's own message at `seq` has come: "Read", in a group "Read by 2 of 5". Where neither
 * counts nor places tell of it, as of what is old in a large group: undefined. */
export function stateText(conversation: Conversation, seq: number): string | undefined {
  const { places, other, me } = conversation;
  if (other !== null) return placeText(other === me ? undefined : places.get(other), seq);
  const { count, large } = conversation.roster;
  const counted = count === null ? places.size === 0 : large;
  const readers = counted ? conversation.readers.get(seq) : undefined;
  const others = count === null ? places.size : count - (conversation.left ? 0 : 1);
  if (readers && (count !== null || readers.displayed === 0)) return countText(readers, others);
  if (counted && places.size === 0) return undefined;
  const all = conversation.others.filter(({ since }) => since < seq);
  const displayed = all.filter((place) => place.displayed >= seq).length;
  const delivered = all.filter((place) => place.delivered >= seq).length;
  return countText({ displayed, delivered }, displayed > 0 ? others : all.length);
}

function countText({ displayed, delivered }: Place, others: number): string {
  if (displayed > 0) return `Read by ${displayed} of ${others}`;
  return others > 0 && delivered >= others ? "Delivered" : "Sent";
}

function placeText(place: { delivered: number; displayed: number } | undefined, seq: number) {
  if (place && place.displayed >= seq) return "Read";
  return place && place.delivered >= seq ? "Delivered" : "Sent";
}

/** Of people who were to be added and want to be asked first; "" of none. */
export function askedText(
  { asked, mayBeIn }: Pick<Conversation, "asked" | "mayBeIn">,
  nameOf: NameOf,
): string {
  if (asked.length === 0) return "";
  const [are, were, join] = asked.length === 1 ? ["is", "was", "joins"] : ["are", "were", "join"];
  const people = listed(asked, nameOf);
  if (mayBeIn) return `${people} ${are} in already, or ${were} invited and ${join} by accepting.`;
  return `${people} ${were} invited, and ${join} by accepting.`;
}

/** What is lost with `items`, where their author logs out. */
export function lossText(items: readonly Pending[]): string {
  const messages = items.filter(({ kind = "message" }) => kind === "message").length;
  const noun = messages > 0 ? "message" : "change";
  const count = messages || items.length;
  return count === 1
    ? `1 ${noun} was not sent. If you log out, it is lost.`
    : `${count} ${noun}s were not sent. If you log out, they are lost.`;
}

/** So many people are named; of more, the rest is counted. */
const MOST_NAMES = 8;

function listed(uids: readonly Uid[], nameOf: NameOf): string {
  const most = uids.length > MOST_NAMES ? MOST_NAMES - 1 : MOST_NAMES;
  const names = uids.slice(0, most).map(nameOf);
  if (uids.length > most) names.push(`${uids.length - most} others`);
  if (names.length < 2) return names[0] ?? "nobody";
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
