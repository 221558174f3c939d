// Step 4: when the heater and the fan are to work, with what the values would do beside them.

import { useState } from "preact/hooks";
import { problemText, request } from "../api";
import { Banner } from "../components/banner";
import { boxQuery } from "../live";
import { textOf } from "../settings/changes";
import type { Changes } from "../settings/changes";
import type { Known } from "../settings/descriptor";
import { Field, isOn } from "../settings/Field";
import { useForm } from "../settings/form";
import { BandPreview } from "../settings/Previews";
import { StepFrame } from "./StepFrame";
import { isParked, keptBand } from "./relay";
import { useDaemonForm } from "./useDaemonForm";

const LOW = "heating_control.min_temp_c";
const HIGH = "heating_control.max_temp_c";

/** A band that was only put there to keep the heater off is no proposal: the one before it is, or the default. */
function proposed(known: Known): Changes {
  const [low, high] = [known.byKey.get(LOW), known.byKey.get(HIGH)];
  if (!low || !high || !isParked(low.value, high.value)) return {};
  const before = keptBand();
  return { [LOW]: before?.low ?? low.default, [HIGH]: before?.high ?? high.default };
}

export function ThresholdsStep({ onNext, onBack }: { onNext(): void; onBack(): void }) {
  const state = useDaemonForm(proposed);
  const [problem, setProblem] = useState<string | null>(null);
  const { form } = state;
  const outputs = form ? (["heater", "fan"] as const).filter((output) => isOn(form, SECTIONS[output])) : [];
  const save = async () => {
    if (!(await state.save())) return false;
    // The relay test has left them off by hand.
    try {
      for (const output of outputs) await request(`/api/controls/${output}${boxQuery()}`, { method: "POST", body: { state: null } });
      return true;
    } catch (refused) {
      setProblem(problemText(refused));
      return false;
    }
  };
  return (
    <>
      <StepFrame state={state} onNext={onNext} onBack={onBack} onSave={save} nextWords={outputs.length > 0 ? "Save and begin" : "Go on"}>
        <Thresholds outputs={outputs} />
      </StepFrame>
      {problem !== null && (
        <Banner kind="danger" role="alert">
          {problem}
        </Banner>
      )}
    </>
  );
}

const SECTIONS = { heater: "heating_control.enabled", fan: "humidity_control.enabled" } as const;

function Thresholds({ outputs }: { outputs: ("heater" | "fan")[] }) {
  const form = useForm();
  if (outputs.length === 0) return <p>This box has neither heater nor fan: it measures, and there are no thresholds to choose.</p>;
  const cutOff = textOf(form.known, form.changes, "safety.max_temp_c");
  return (
    <>
      <p>Between the two values an output stays as it is, so that its relay does not chatter. With “Save and begin” the box works by them from then on.</p>
      {outputs.includes("heater") && (
        <div class="with-preview">
          <div class="fields">
            <Field name={LOW} title="Heater on below" isBrief />
            <Field name={HIGH} title="Heater off above" isBrief hint={`At least 5 °C below the cut-off (${cutOff} °C), at which the heater is off whatever else is set.`} />
          </div>
          <div class="previews">
            <BandPreview output="heater" />
          </div>
        </div>
      )}
      {/* Not before the relay test, in which the fan is off and the heater would wait for it. */}
      {outputs.length === 2 && <Field name="heating_control.requires_fan" title="The heater needs the fan" />}
      {outputs.includes("fan") && (
        <div class="with-preview">
          <div class="fields">
            <Field name="humidity_control.max_humidity" title="Fan on above" isBrief />
            <Field name="humidity_control.min_humidity" title="Fan off below" isBrief />
          </div>
          <div class="previews">
            <BandPreview output="fan" />
          </div>
        </div>
      )}
    </>
  );
}
