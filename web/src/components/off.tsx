// The big OFF: heater and fan off, whoever asks, logged in or not. It says what became of it.

import { useState } from "preact/hooks";
import { everythingOff } from "../control";
import type { Outcome } from "../control";
import { useLive } from "../live";

export function EverythingOff() {
  const { picture } = useLive();
  const [isBusy, setBusy] = useState(false);
  const [outcomes, setOutcomes] = useState<Outcome[]>([]);
  const controls = picture?.status.controls;
  // Without a picture (not logged in) there may be everything.
  const hasOutputs = controls === undefined || controls.heater.enabled || controls.fan.enabled;
  const off = async () => {
    setBusy(true);
    setOutcomes(await everythingOff());
    setBusy(false);
  };
  const isAllDone = outcomes.every(({ tone }) => tone === "done");
  return (
    <section class="off" aria-label="Emergency off">
      <div role="alert">
        {outcomes.length > 0 && (
          <div class={`off-result banner ${isAllDone ? "success" : "danger"}`}>
            <strong class="banner-title">{isAllDone ? "Off, until somebody chooses Auto." : "Not everything is off. If in doubt, pull the plug."}</strong>
            <ul>
              {[...new Set(outcomes.map(({ words }) => words))].map((words) => (
                <li key={words}>{words}</li>
              ))}
            </ul>
            <button type="button" class="close" aria-label="Close this message" onClick={() => setOutcomes([])}>
              ×
            </button>
          </div>
        )}
      </div>
      {hasOutputs && (
        <button type="button" class="off-button" aria-busy={isBusy || undefined} onClick={() => void off()}>
          {isBusy ? "Switching off…" : "OFF"}
          <span>heater and fan</span>
        </button>
      )}
    </section>
  );
}
