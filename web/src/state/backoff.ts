/** How long to wait before trying again: doubling, bounded, with jitter against stampedes. */

export interface BackoffSettings {
  firstMs: number;
  maxMs: number;
}

/** The wait before try `attempt` (0 is the first): half of the doubled time, and a random half. */
export function backoffMs(attempt: number, random: number, settings: BackoffSettings): number {
  const whole = Math.min(settings.maxMs, settings.firstMs * 2 ** Math.min(attempt, 20));
  return Math.round(whole / 2 + (whole / 2) * random);
}
