/** What is fetched is on the page for so long, in ms, before screen readers say what comes in. */
const QUIET_MS = 500;

/** Whether screen readers say what comes into a log: not what was there before, nor what is fetched.
 * Made in a component, whose effect it is. */
export class Voice {
  aloud = $state(false);

  /** `isElsewhere`: whoever reads older messages goes to them, and need not be told. */
  constructor(isElsewhere: () => boolean) {
    $effect(() => {
      this.aloud = false;
      if (isElsewhere()) return;
      const timer = setTimeout(() => {
        this.aloud = true;
      }, QUIET_MS);
      return () => clearTimeout(timer);
    });
  }
}
