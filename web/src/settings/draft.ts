// The changes that are not saved, for the whole page: they survive going to another page and a reload of the tab (secrets: only the
// former), and closing the tab asks first.

import { createStore } from "../store";
import type { Changes, Problems } from "./changes";
import type { Known } from "./descriptor";
import { find } from "./descriptor";

const KEPT_AS = "settings-draft";

export const draft = createStore<Changes>(kept());
/** What the daemon refused at the last try, by key; a key that is changed since is taken out. */
export const refused = createStore<Problems>({});

function kept(): Changes {
  try {
    const found: unknown = JSON.parse(sessionStorage.getItem(KEPT_AS) ?? "{}");
    if (typeof found !== "object" || found === null) return {};
    const isText = ([, text]: [string, unknown]) => text === null || typeof text === "string";
    return Object.fromEntries(Object.entries(found).filter(isText)) as Changes;
  } catch {
    return {};
  }
}

/** Takes new changes; what was said of a key that changes is void. */
export function change(known: Known, next: Changes): void {
  const before = draft.get();
  draft.set(next);
  const isTouched = (key: string) => before[key] !== next[key];
  refused.set(Object.fromEntries(Object.entries(refused.get()).filter(([key]) => !isTouched(key))));
  keep(known, next);
}

/** Forgets all of it. */
export function discard(): void {
  draft.set({});
  refused.set({});
  keep(null, {});
}

function keep(known: Known | null, changes: Changes): void {
  const isSecret = (key: string) => known === null || find(known, key)?.kind === "secret";
  const open = Object.entries(changes).filter(([key]) => !isSecret(key));
  try {
    if (open.length === 0) sessionStorage.removeItem(KEPT_AS);
    else sessionStorage.setItem(KEPT_AS, JSON.stringify(Object.fromEntries(open)));
  } catch {
    // Forbidden: the changes last as long as the page.
  }
}

const warn = (event: BeforeUnloadEvent): void => event.preventDefault();

const follow = (changes: Changes): void => {
  // A page with this listener is not kept for "back", so it is there only while it is needed.
  if (Object.keys(changes).length > 0) addEventListener("beforeunload", warn);
  else removeEventListener("beforeunload", warn);
};
draft.subscribe(follow);
follow(draft.get());
