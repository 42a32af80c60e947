/** The focus of what is drawn anew: it stays on what is put elsewhere, and does not end with what goes. */

/** Made in a component, whose effects they are: before and after `change` is drawn. What has the focus
 * `within` gets it back where it is put elsewhere; `onlost` is for what goes. */
export function keepFocus(
  within: () => HTMLElement | undefined,
  change: () => unknown,
  onlost: () => void = () => {},
): void {
  let had: HTMLElement | null = null;
  $effect.pre(() => {
    change();
    const focused = document.activeElement;
    had = focused instanceof HTMLElement && within()?.contains(focused) ? focused : null;
  });
  $effect(() => {
    change();
    if (!had || document.activeElement !== document.body) return;
    if (had.isConnected) had.focus({ preventScroll: true });
    else onlost();
  });
}
