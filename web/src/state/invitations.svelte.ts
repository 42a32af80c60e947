/** The groups one is asked to come into, and how one answers. */

import type { ConvID, Invitation } from "../wire/wire.ts";
import type { Api } from "./ports.ts";

export class Invitations {
  /** Newest first. */
  waiting = $state.raw<readonly Invitation[]>([]);
  readonly #api: Pick<Api, "invitations" | "answerInvitation">;

  constructor(api: Pick<Api, "invitations" | "answerInvitation">) {
    this.#api = api;
  }

  /** Without an answer what is known stays: the next connection asks again. */
  async load(): Promise<void> {
    this.waiting = await this.#api.invitations().catch(() => this.waiting);
  }

  /** Resolves with the group one has come into, null if one declined. Rejects with a Failure. */
  async answer(invitation: Invitation, accept: boolean): Promise<ConvID | null> {
    const entered = await this.#api.answerInvitation(invitation.id, accept);
    this.waiting = this.waiting.filter((each) => each.id !== invitation.id);
    return entered.ConvID;
  }
}
