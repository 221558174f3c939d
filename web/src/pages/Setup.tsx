// Setup: the first run, step by step; each step saves what it has asked, and can be left and come back to.

import { useEffect, useRef } from "preact/hooks";
import { navigate, usePlace } from "../router";
import { useSession } from "../session";
import { DatabaseStep } from "../setup/DatabaseStep";
import { DoneStep } from "../setup/DoneStep";
import { OutputsStep } from "../setup/OutputsStep";
import { PasswordStep } from "../setup/PasswordStep";
import { SensorStep } from "../setup/SensorStep";
import { STEPS, codeIn, keepStep, next, previous, reachedStep, stepAt } from "../setup/steps";
import type { StepName } from "../setup/steps";
import { ThresholdsStep } from "../setup/ThresholdsStep";

export default function Setup() {
  const { query } = usePlace();
  const who = useSession();
  const isAllowed = who !== null && (who.state === "in" || who.state === "open");
  // A code in the address is for the first step, whatever was reached.
  const hasCode = useRef(codeIn(location.hash) !== "").current;
  const isAsked = new URLSearchParams(query).has("step");
  const step = hasCode && !isAsked ? "password" : stepAt(query, reachedStep(), isAllowed);
  const heading = useRef<HTMLHeadingElement>(null);
  const before = useRef(step);
  useEffect(() => {
    if (isAllowed) keepStep(step);
    if (before.current === step) return;
    before.current = step;
    scrollTo(0, 0);
    heading.current?.focus({ preventScroll: true });
  }, [step, isAllowed]);
  const go = (to: StepName) => navigate(`/setup?step=${to}`);
  const onNext = () => go(next(step));
  const back = previous(step);
  const onBack = () => go(back ?? step);
  if (who === null) return <h1>Setup</h1>;
  return (
    <>
      <h1>Setup</h1>
      <Progress step={step} isAllowed={isAllowed} onGo={go} />
      <h2 ref={heading} tabIndex={-1} class="step-title">
        <span class="unseen">
          Step {STEPS.findIndex(({ name }) => name === step) + 1} of {STEPS.length}:{" "}
        </span>
        {STEPS.find(({ name }) => name === step)?.title}
      </h2>
      {step === "password" && <PasswordStep onNext={onNext} />}
      {step === "sensor" && <SensorStep onNext={onNext} onBack={onBack} />}
      {step === "outputs" && <OutputsStep onNext={onNext} onBack={onBack} />}
      {step === "thresholds" && <ThresholdsStep onNext={onNext} onBack={onBack} />}
      {step === "database" && <DatabaseStep onNext={onNext} onBack={onBack} />}
      {step === "done" && <DoneStep />}
    </>
  );
}

function Progress({ step, isAllowed, onGo }: { step: StepName; isAllowed: boolean; onGo(step: StepName): void }) {
  const at = STEPS.findIndex(({ name }) => name === step);
  return (
    <ol class="steps" aria-label="Steps">
      {STEPS.map(({ name, title }, nth) => (
        <li key={name} class={nth < at ? "passed" : nth === at ? "current" : ""}>
          <button type="button" disabled={!isAllowed && nth > 0} aria-current={nth === at ? "step" : undefined} onClick={() => onGo(name)}>
            <span class="step-number">{nth + 1}</span>
            <span class="step-name">{title}</span>
          </button>
        </li>
      ))}
    </ol>
  );
}
