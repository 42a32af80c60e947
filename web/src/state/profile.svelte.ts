/** What somebody writes of themselves, beside what is known of it. */

import type { Profile } from "../wire/wire.ts";

type Words = Pick<Profile, "name" | "about">;

const FIELDS = ["name", "about"] as const;

export class ProfileDraft implements Words {
  name = $state("");
  about = $state("");
  #known = $state.raw<Words>({ name: "", about: "" });

  /** What was written anew. The rest may have been changed elsewhere, and stays as it is. */
  get changes(): Partial<Words> {
    const changed = FIELDS.filter((field) => this[field].trim() !== this.#known[field]);
    return Object.fromEntries(changed.map((field) => [field, this[field].trim()]));
  }

  get changed(): boolean {
    return Object.keys(this.changes).length > 0;
  }

  /** Takes up what is `known` now where nothing was written. */
  heed(known: Words): void {
    const written = this.changes;
    for (const field of FIELDS) if (written[field] === undefined) this[field] = known[field];
    this.#known = known;
  }
}
