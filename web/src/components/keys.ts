/** What a key is pressed for. */

/** What the browser says of a key that an input method takes: Safari does so of the Enter that
 * confirms a composition, though it has ended that by then. */
const TAKEN = 229;

/** Whether the key is for a word that is being composed, as in Japanese, and not for the page. */
export function isComposing({ isComposing, keyCode }: KeyboardEvent): boolean {
  return isComposing || keyCode === TAKEN;
}
