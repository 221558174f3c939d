// The frame of a step: its form, what is wrong, and the way on and back.

import type { ComponentChildren } from "preact";
import { Banner } from "../components/banner";
import { Button } from "../components/button";
import { FormContext } from "../settings/form";
import type { DaemonForm } from "./useDaemonForm";

interface StepFrameProps {
  state: DaemonForm;
  children: ComponentChildren;
  onNext(): void;
  onBack: (() => void) | null;
  /** Why one cannot go on yet. */
  blocked?: string | null;
  /** Saves these besides the changes. */
  nextWords?: string;
  /** Instead of saving the changes. */
  onSave?: () => Promise<boolean>;
  onSkip?: () => void;
}

export function StepFrame({ state, children, onNext, onBack, blocked = null, nextWords = "Save and go on", onSave, onSkip }: StepFrameProps) {
  const { form, problem, isBusy } = state;
  const go = async () => {
    if (blocked !== null) return;
    if (await (onSave ?? state.save)()) onNext();
  };
  return (
    <FormContext.Provider value={form}>
      {form === null && problem === null && <p class="quiet">Loading…</p>}
      {form !== null && children}
      {problem !== null && (
        <Banner kind="danger" role="alert">
          {problem} {form === null && <Button onClick={state.load}>Try again</Button>}
        </Banner>
      )}
      {blocked !== null && (
        <p class="quiet" id="step-blocked">
          {blocked}
        </p>
      )}
      <div class="row step-ways">
        {onBack && <Button onClick={onBack}>Back</Button>}
        {onSkip && <Button onClick={onSkip}>Skip this</Button>}
        {form !== null && (
          <Button kind="primary" isBusy={isBusy} isDisabled={blocked !== null} describedBy={blocked === null ? undefined : "step-blocked"} onClick={() => void go()}>
            {nextWords}
          </Button>
        )}
      </div>
    </FormContext.Provider>
  );
}
