/** The clipboard, which a browser may keep to itself: on addresses without TLS there is none. */

import { Failure } from "../wire/failure.ts";

/** Puts `text` there. Rejects with a Failure where the browser does not let it. */
export async function copy(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    throw new Failure(
      "denied",
      "Your browser does not let this page copy: select the text and copy it",
    );
  }
}
