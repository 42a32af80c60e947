/** Checks how a form is filled in, in the page's own words rather than the browser's. */

/** What is missing or too long, as a sentence, with the focus on it; "" when nothing is. */
export function faultIn(form: HTMLFormElement): string {
  const field = form.querySelector<HTMLInputElement>("input:invalid");
  if (!field) return "";
  field.focus();
  if (field.validity.customError) return field.validationMessage;
  return `Fill in ${field.labels?.[0]?.textContent ?? "all fields"}.`;
}
