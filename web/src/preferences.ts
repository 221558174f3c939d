// What this browser prefers: degrees and colours. Kept here, not in the daemon: each phone has its own.

import { createStore } from "./store";
import type { Store } from "./store";

export type TemperatureUnit = "C" | "F";
export type Theme = "auto" | "light" | "dark";

/** Read from and written to the browser's storage, which may be forbidden or full: then it holds until the page closes. */
function kept<T extends string>(key: string, allowed: readonly T[], first: T): Store<T> {
  let start = first;
  try {
    start = allowed.find((value) => value === localStorage.getItem(key)) ?? first;
  } catch {
    // Forbidden: the first value holds.
  }
  const store = createStore<T>(start);
  store.subscribe((value) => {
    try {
      localStorage.setItem(key, value);
    } catch {
      // Forbidden or full: it holds until the page closes.
    }
  });
  return store;
}

/** People in the few places with °F see it from the start. */
function usualUnit(): TemperatureUnit {
  const language = typeof navigator === "undefined" ? "" : navigator.language;
  return /-(US|BS|BZ|KY|PW|FM|MH|LR)$/i.test(language) ? "F" : "C";
}

export const temperatureUnit = kept<TemperatureUnit>("unit", ["C", "F"], usualUnit());
export const theme = kept<Theme>("theme", ["auto", "light", "dark"], "auto");
/** The box that is looked at; empty: the first. */
export const chosenBox = createStore<string>("");

/** Makes the document follow the theme. */
export function followTheme(): void {
  const apply = (value: Theme) => {
    if (value === "auto") delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = value;
  };
  apply(theme.get());
  theme.subscribe(apply);
}
