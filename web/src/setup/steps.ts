// The steps of the first run, and where one is: in the address (?step=...), and in this browser, so that a phone that was put away goes on
// where it was. What a step has set is in the daemon, not here.

export const STEPS = [
  { name: "password", title: "Password" },
  { name: "sensor", title: "Sensor" },
  { name: "outputs", title: "Heater and fan" },
  { name: "thresholds", title: "Thresholds" },
  { name: "database", title: "Database" },
  { name: "done", title: "Done" },
] as const;

export type StepName = (typeof STEPS)[number]["name"];

const KEPT_AS = "setup-step";

/** The step that is shown: the one asked for, else the one that was reached; before there is a login only the first. */
export function stepAt(query: string, reached: StepName, isAllowed: boolean): StepName {
  if (!isAllowed) return "password";
  const asked = new URLSearchParams(query).get("step");
  return STEPS.find(({ name }) => name === asked)?.name ?? reached;
}

export function next(step: StepName): StepName {
  const at = STEPS.findIndex(({ name }) => name === step);
  return (STEPS[at + 1] ?? STEPS[STEPS.length - 1]!).name;
}

export function previous(step: StepName): StepName | null {
  const at = STEPS.findIndex(({ name }) => name === step);
  return STEPS[at - 1]?.name ?? null;
}

export function reachedStep(): StepName {
  try {
    const kept = localStorage.getItem(KEPT_AS);
    return STEPS.find(({ name }) => name === kept)?.name ?? "password";
  } catch {
    return "password";
  }
}

export function keepStep(step: StepName): void {
  try {
    localStorage.setItem(KEPT_AS, step);
  } catch {
    // Forbidden: it begins with the first again, where everything that was set stands already.
  }
}

/** The code in "#code=abcde-..."; the address that the daemon prints has it there, where it is never sent to a server. */
export function codeIn(hash: string): string {
  const plain = hash.replace(/^#/, "");
  const named = new URLSearchParams(plain).get("code");
  return (named ?? (/^[0-9A-Za-z-]{20,}$/.test(plain) ? plain : "")).trim();
}
