/** Why an act did not happen: a code of the error table, or one of the two only a client can see. */

import { isTransient, type WireError } from "./wire.ts";

/** No answer: the server is not there, or the network is not. */
export const UNREACHABLE = "unreachable";
/** No answer in time: it may have happened, so the same may be asked again, with the same MsgID. */
export const TIMED_OUT = "timed_out";

export class Failure extends Error {
  readonly code: string;
  /** When to try again, in ms, where the server said so. */
  readonly retryAfterMs: number | undefined;

  constructor(code: string, message: string, retryAfterMs?: number) {
    super(message);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }

  static ofWire(error: WireError): Failure {
    return new Failure(error.code, error.message, error.retry_after_ms);
  }

  /** Whether the same may succeed later. */
  get transient(): boolean {
    return this.code === UNREACHABLE || this.code === TIMED_OUT || isTransient(this.code);
  }
}

/** Anything thrown as a Failure, so that callers look at one kind. */
export function asFailure(thrown: unknown): Failure {
  if (thrown instanceof Failure) return thrown;
  return new Failure("internal", thrown instanceof Error ? thrown.message : String(thrown));
}
