// What the parts of a form share: the descriptions, the changes, and how to change them. Settings and Setup each have their own.

import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Changes, Problems } from "./changes";
import type { Known } from "./descriptor";

export interface Form {
  known: Known;
  changes: Changes;
  /** What the daemon refused, by key. */
  problems: Problems;
  /** Whether this person may change anything. */
  isReadOnly: boolean;
  change(next: Changes): void;
}

export const FormContext = createContext<Form | null>(null);

export function useForm(): Form {
  const form = useContext(FormContext);
  if (form === null) throw new Error("a part of a form stands outside of one");
  return form;
}

/** The id of a key's control: where the error summary leads. */
export function controlId(key: string): string {
  return `setting-${key}`;
}

/** Shows a key's control and puts the focus on it. */
export function focusOn(key: string): void {
  const control = document.getElementById(controlId(key));
  control?.scrollIntoView({ block: "center" });
  control?.focus({ preventScroll: true });
}
