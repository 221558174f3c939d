// Which quantities this browser shows; kept in it, as the unit is.

import { createStore } from "../../store";

const KEPT_AS = "history-quantities";

function kept(): string {
  try {
    return localStorage.getItem(KEPT_AS) ?? "";
  } catch {
    return "";
  }
}

/** Fields with commas between; empty: nobody has chosen. */
export const chosenQuantities = createStore<string>(kept());

chosenQuantities.subscribe((fields) => {
  try {
    localStorage.setItem(KEPT_AS, fields);
  } catch {
    // Forbidden or full: it holds until the page closes.
  }
});
