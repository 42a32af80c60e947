/** Whether somebody looks: the page is visible and its window has the focus. */

export class Attention {
  visible = $state(true);
  focused = $state(true);
  readonly present = $derived(this.visible && this.focused);

  /** Follows the page's document; returns how to stop. */
  follow(page: Document): () => void {
    const look = () => {
      this.visible = page.visibilityState === "visible";
      this.focused = page.hasFocus();
    };
    look();
    const view = page.defaultView;
    page.addEventListener("visibilitychange", look);
    view?.addEventListener("focus", look);
    view?.addEventListener("blur", look);
    return () => {
      page.removeEventListener("visibilitychange", look);
      view?.removeEventListener("focus", look);
      view?.removeEventListener("blur", look);
    };
  }
}
