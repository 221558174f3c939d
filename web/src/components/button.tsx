// Buttons and links. A button at work stays focusable and says that it is busy.

import type { ComponentChildren } from "preact";
import { isPlainClick, navigate } from "../router";

interface ButtonProps {
  children: ComponentChildren;
  kind?: "plain" | "primary" | "danger";
  type?: "button" | "submit";
  /** For a choice of several: whether it is the one. */
  isPressed?: boolean;
  isBusy?: boolean;
  isDisabled?: boolean;
  /** For screen readers, where the words alone do not say what it acts on. */
  label?: string;
  describedBy?: string | undefined;
  class?: string;
  id?: string;
  onClick?: (event: MouseEvent) => void;
}

export function Button(props: ButtonProps) {
  const { kind = "plain", type = "button", isBusy = false, isDisabled = false } = props;
  return (
    <button
      id={props.id}
      type={type}
      class={`button ${kind} ${props.class ?? ""}`}
      aria-pressed={props.isPressed}
      aria-busy={isBusy || undefined}
      aria-disabled={isDisabled || isBusy || undefined}
      aria-label={props.label}
      aria-describedby={props.describedBy}
      onClick={(event) => {
        if (isBusy || isDisabled) event.preventDefault();
        else props.onClick?.(event);
      }}
    >
      {props.children}
    </button>
  );
}

interface LinkProps {
  to: string;
  children: ComponentChildren;
  class?: string;
  isCurrent?: boolean;
}

/** A link to a page of ours, without loading anything anew. */
export function Link({ to, children, isCurrent, ...rest }: LinkProps) {
  return (
    <a
      href={to}
      class={rest.class}
      aria-current={isCurrent ? "page" : undefined}
      onClick={(event) => {
        if (!isPlainClick(event)) return;
        event.preventDefault();
        navigate(to);
      }}
    >
      {children}
    </a>
  );
}
