/** Checks that a form is filled in, in the page's own words rather than the browser's. */

/** What is missing, as a sentence, with the focus on it; "" when nothing is. */
export function missingIn(form: HTMLFormElement): string {
  const field = form.querySelector<HTMLInputElement>("input:invalid");
  if (!field) return "";
  field.focus();
  return `Fill in ${field.labels?.[0]?.textContent ?? "all fields"}.`;
}
