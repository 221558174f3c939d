// Two lines for a new password, or one that is shown; how strong it is, in words.

import { useId, useState } from "preact/hooks";
import { SecretInput } from "../components/secret";

/** The daemon's own limit. */
export const PASSWORD_MIN = 10;

/** What is said of a password: length is what counts, and neither digits nor signs are asked for. */
export function strength(password: string): { level: 0 | 1 | 2 | 3; words: string } {
  const length = [...password].length;
  const missing = PASSWORD_MIN - length;
  if (length === 0) return { level: 0, words: `At least ${PASSWORD_MIN} characters. Four words that have nothing to do with each other are strong and easy to keep.` };
  if (missing > 0) return { level: 0, words: `${missing} more character${missing === 1 ? "" : "s"}.` };
  // "aaaaaaaaaaaa" is long and no password.
  if (new Set(password).size < 5) return { level: 1, words: "Weak: it repeats itself." };
  if (length < 14) return { level: 2, words: "Good enough. Longer is stronger." };
  return { level: 3, words: length < 20 ? "Strong." : "Very strong." };
}

/** Why the two lines are no new password, or null. */
export function passwordProblem(password: string, again: string, isShown: boolean): string | null {
  const length = [...password].length;
  if (length < PASSWORD_MIN) return `The password needs ${PASSWORD_MIN} characters or more; it has ${length}.`;
  if (!isShown && password !== again) return "The two passwords differ.";
  return null;
}

interface NewPasswordProps {
  password: string;
  again: string;
  isShown: boolean;
  problem: string | null;
  onPassword(text: string): void;
  onAgain(text: string): void;
  onShown(isShown: boolean): void;
}

export function NewPassword(props: NewPasswordProps) {
  const id = useId();
  const { level, words } = strength(props.password);
  return (
    <>
      {/* So that a password manager has a name to keep it under. */}
      <input type="text" class="unseen" autocomplete="username" value="filamentbox" readOnly tabIndex={-1} aria-hidden="true" />
      <label class="field" htmlFor={`${id}-new`}>
        New password
      </label>
      <SecretInput
        id={`${id}-new`}
        label="the new password"
        autocomplete="new-password"
        value={props.password}
        isInvalid={props.problem !== null}
        describedBy={`${id}-strength ${id}-problem`}
        onInput={props.onPassword}
        onShown={props.onShown}
      />
      <p class={`strength level-${level} small`} id={`${id}-strength`}>
        <meter min={0} max={3} value={level} aria-hidden="true" />
        <span role="status">{words}</span>
      </p>
      {!props.isShown && (
        <>
          <label class="field" htmlFor={`${id}-again`}>
            The same again
          </label>
          <input
            id={`${id}-again`}
            type="password"
            autocomplete="new-password"
            value={props.again}
            aria-invalid={props.problem !== null}
            aria-describedby={`${id}-problem`}
            onInput={(event) => props.onAgain(event.currentTarget.value)}
          />
        </>
      )}
      <p class="problem" id={`${id}-problem`} role="alert">
        {props.problem}
      </p>
    </>
  );
}

/** What a form with a new password keeps. */
export function useNewPassword() {
  const [password, setPassword] = useState("");
  const [again, setAgain] = useState("");
  const [isShown, setShown] = useState(false);
  return {
    password,
    again,
    isShown,
    onPassword: setPassword,
    onAgain: setAgain,
    onShown: setShown,
    clear() {
      setPassword("");
      setAgain("");
    },
  };
}
