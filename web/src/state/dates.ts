/** Times and days in the reader's own way of writing them. Pure, given `now`. */

const DAY_MS = 86_400_000;

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "long" });
const shortDay = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const shortDate = new Intl.DateTimeFormat(undefined, {
  day: "numeric",
  month: "short",
  year: "numeric",
});
const fullDay = new Intl.DateTimeFormat(undefined, { dateStyle: "long" });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

function dayStart(ms: number): number {
  return new Date(ms).setHours(0, 0, 0, 0);
}

/** When the day of `ms` ends, which the season may make an hour longer or shorter. */
export function nextMidnight(ms: number): number {
  return new Date(ms).setHours(24, 0, 0, 0);
}

/** Days between the calendar days of two times; hours lost or gained to the season don't count. */
function daysAgo(ms: number, now: number): number {
  return Math.round((dayStart(now) - dayStart(ms)) / DAY_MS);
}

export function sameDay(a: number, b: number): boolean {
  return dayStart(a) === dayStart(b);
}

export function timeOfDay(ms: number): string {
  return clock.format(ms);
}

/** For the separator between days: "Today", "Yesterday", "Monday", "3 May 2026". */
export function dayName(ms: number, now: number): string {
  const days = daysAgo(ms, now);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  return days > 1 && days < 7 ? weekday.format(ms) : fullDay.format(ms);
}

/** For the list: the time today, else the day, with its year where that is another one. */
export function shortWhen(ms: number, now: number): string {
  const days = daysAgo(ms, now);
  if (days === 0) return timeOfDay(ms);
  if (days === 1) return "Yesterday";
  const thisYear = new Date(ms).getFullYear() === new Date(now).getFullYear();
  return (thisYear ? shortDay : shortDate).format(ms);
}

export function fullWhen(ms: number): string {
  return moment.format(ms);
}
