/** How far people have come in a conversation, and where in it somebody reads. */

import type { Seq } from "../wire/wire.ts";

/** How far somebody has come; `displayed` <= `delivered`. */
export interface Place {
  delivered: Seq;
  displayed: Seq;
}

/** How far another member has come; `since`: the `Seq` by which they came in, 0 if nobody said. */
export interface OtherPlace extends Place {
  since: Seq;
}

/** Where in a log somebody reads: the first entry in view, and how far below the log's top, in px. */
export interface Spot {
  seq: Seq;
  top: number;
}

/** Whoever has had nothing of it yet. */
export const NOWHERE: Place = { delivered: 0, displayed: 0 };
