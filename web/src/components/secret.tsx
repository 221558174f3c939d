// A line for a password or another secret: hidden, unless the person who types it wants to see it.

import { useState } from "preact/hooks";
import type { Ref } from "preact";
import { Button } from "./button";

interface SecretInputProps {
  id: string;
  value: string;
  /** What it is, for the button beside it. */
  label: string;
  autocomplete: "current-password" | "new-password" | "off";
  isInvalid?: boolean;
  isRequired?: boolean;
  describedBy?: string | undefined;
  inputRef?: Ref<HTMLInputElement>;
  onInput(text: string): void;
  /** Told when it is shown or hidden. */
  onShown?(isShown: boolean): void;
}

export function SecretInput(props: SecretInputProps) {
  const [isShown, setShown] = useState(false);
  return (
    <span class="secret-input">
      <input
        ref={props.inputRef ?? null}
        id={props.id}
        // Both are lines of text; the types know no input that is now one and now the other.
        type={(isShown ? "text" : "password") as "text"}
        autocomplete={props.autocomplete}
        autocapitalize="none"
        spellcheck={false}
        required={props.isRequired}
        value={props.value}
        aria-describedby={props.describedBy}
        aria-invalid={props.isInvalid}
        onInput={(event) => props.onInput(event.currentTarget.value)}
      />
      <Button
        isPressed={isShown}
        label={`Show ${props.label}`}
        onClick={() => {
          setShown(!isShown);
          props.onShown?.(!isShown);
        }}
      >
        Show
      </Button>
    </span>
  );
}
