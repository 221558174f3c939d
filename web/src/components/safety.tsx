// Is it safe? Whether heat is allowed and why not; faults with what to do, and their end.

import { useState } from "preact/hooks";
import { ApiError, problemText, request, sentence } from "../api";
import { refresh } from "../live";
import { temperatureUnit } from "../preferences";
import { useStore } from "../store";
import type { Status } from "../types";
import { inUnit, temperature } from "../units";
import { Banner } from "./banner";
import { Button, Link } from "./button";
import { askConfirmation } from "./dialogs";

/** One line where all is well. */
export function SafetyLine({ status }: { status: Status }) {
  const unit = useStore(temperatureUnit);
  const { safety, controls, limits } = status;
  if (safety.faults.length > 0) return null;
  if (!controls.heater.enabled) return <p class="safety quiet">No heater is set up.</p>;
  const cutOff = limits?.cut_off_c ?? null;
  if (safety.heat_allowed) {
    return (
      <p class="safety good">
        <strong>Safe.</strong> Heat is allowed{cutOff === null ? "" : ` up to the cut-off of ${temperature(cutOff, unit, 0)}`}.
      </p>
    );
  }
  return (
    <p class="safety warning">
      <strong>No heat now:</strong> {inUnit(safety.reason ?? "the reason is not known", unit)}
    </p>
  );
}

/** Faults stay until a person has looked. */
export function Faults({ status }: { status: Status }) {
  const unit = useStore(temperatureUnit);
  const [said, setSaid] = useState<{ words: string; needsLogin: boolean } | null>(null);
  const [isBusy, setBusy] = useState(false);
  const { faults } = status.safety;
  if (faults.length === 0) return null;
  const reset = async () => {
    const agreed = await askConfirmation({
      title: "Have you looked at the box?",
      text: "A reset lets the heater run again. If the cause is still there, the box may get too hot.",
      action: "I have looked: reset",
      isDangerous: true,
    });
    if (!agreed) return;
    setBusy(true);
    setSaid(null);
    try {
      const left = await request<{ faults: string[] }>("/api/safety/reset", { method: "POST", body: {} });
      if (left.faults.length > 0) setSaid({ words: `Still there: ${left.faults.join("; ")}`, needsLogin: false });
      await refresh();
    } catch (problem) {
      setSaid({ words: problemText(problem), needsLogin: problem instanceof ApiError && problem.status === 401 });
    }
    setBusy(false);
  };
  return (
    <Banner kind="danger" role="alert" title={faults.length === 1 ? "A fault: look at the box" : "Faults: look at the box"}>
      <ul class="faults">
        {faults.map((fault) => (
          <li key={fault}>{sentence(inUnit(fault, unit))}</li>
        ))}
      </ul>
      <p>The heater stays off. If it is warm all the same, pull its plug. Find and mend the cause, then reset.</p>
      <div class="row">
        <Button kind="danger" isBusy={isBusy} onClick={() => void reset()}>
          Reset…
        </Button>
        <Link to="/events">What happened</Link>
      </div>
      {said !== null && (
        <p class="problem">
          {said.words} {said.needsLogin && <Link to="/login">Log in</Link>}
        </p>
      )}
    </Banner>
  );
}
