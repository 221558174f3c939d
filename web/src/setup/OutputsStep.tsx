// Step 3: is there a heater, a fan; on which pins; and does the right relay click? A heater that is new stays off, by a band that never
// heats, until temperatures are chosen in the next step: also where this page is left, or the machine restarts, in between.

import { useState } from "preact/hooks";
import { problemText } from "../api";
import { Banner } from "../components/banner";
import { fixedBy, textOf } from "../settings/changes";
import type { Changes } from "../settings/changes";
import { find, parseBool } from "../settings/descriptor";
import type { Known } from "../settings/descriptor";
import { Field, isOn } from "../settings/Field";
import { useForm } from "../settings/form";
import { PARKED, isParked, keepBand, keptBand } from "./relay";
import type { OutputName } from "./relay";
import { RelayTest, holdOff } from "./RelayTest";
import { SafetyBox } from "./SafetyBox";
import { StepFrame } from "./StepFrame";
import { useDaemonForm } from "./useDaemonForm";
import type { DaemonForm } from "./useDaemonForm";

const HEATER = "heating_control.enabled";
const FAN = "humidity_control.enabled";
const LOW = "heating_control.min_temp_c";
const HIGH = "heating_control.max_temp_c";

/** What is saved besides the answers: a new heater's band never heats, and one that goes gets its old band back. */
export function besides(known: Known, changes: Changes): Changes {
  const wasThere = parseBool(known.byKey.get(HEATER)?.value ?? "") === true;
  const isThere = parseBool(textOf(known, changes, HEATER)) === true;
  const band = [find(known, LOW), find(known, HIGH)] as const;
  if (!band[0] || !band[1] || fixedBy(band[0]) !== null || fixedBy(band[1]) !== null) return {};
  const isOff = isParked(band[0].value, band[1].value);
  if (!wasThere && isThere && !isOff) return { [LOW]: PARKED.low, [HIGH]: PARKED.high };
  if (wasThere && !isThere && isOff) {
    const kept = keptBand();
    return { [LOW]: kept?.low ?? null, [HIGH]: kept?.high ?? null };
  }
  return {};
}

export function OutputsStep({ onNext, onBack }: { onNext(): void; onBack(): void }) {
  const state = useDaemonForm();
  const [isAgreed, setAgreed] = useState(false);
  const [isTesting, setTesting] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const [good, setGood] = useState<Partial<Record<OutputName, boolean>>>({});
  const { form } = state;
  const outputs = form ? ([["heater", HEATER], ["fan", FAN]] as const).filter(([, key]) => isOn(form, key)).map(([name]) => name) : [];
  const save = async () => {
    if (!form) return false;
    const also = besides(form.known, form.changes);
    if (also[LOW] === PARKED.low) keepBand(textOf(form.known, {}, LOW), textOf(form.known, {}, HIGH));
    if (!(await state.save(also))) return false;
    try {
      for (const output of outputs) await holdOff(output);
      setProblem(null);
      return true;
    } catch (refused) {
      setProblem(problemText(refused));
      return false;
    }
  };
  const isUntested = outputs.some((output) => good[output] !== true);
  const trouble = problem !== null && (
    <Banner kind="danger" role="alert">
      {problem}
    </Banner>
  );
  if (isTesting) {
    return (
      <>
        {trouble}
        <StepFrame state={state} onNext={onNext} onBack={() => setTesting(false)} nextWords={isUntested ? "Go on without the test" : "Go on"} onSave={async () => true}>
          <Tests outputs={outputs} state={state} onDone={(output, isGood) => setGood((before) => ({ ...before, [output]: isGood }))} />
        </StepFrame>
      </>
    );
  }
  const isHeated = outputs.includes("heater");
  return (
    <>
      {trouble}
      <StepFrame
        state={state}
        onNext={outputs.length > 0 ? () => setTesting(true) : onNext}
        onBack={onBack}
        onSave={save}
        nextWords={outputs.length > 0 ? "Save and test" : "Save and go on"}
        blocked={isHeated && !isAgreed ? "With a heater, agree to the safety box first." : null}
      >
        <Questions isHeated={isHeated} isAgreed={isAgreed} onAgreed={setAgreed} />
      </StepFrame>
    </>
  );
}

function Questions({ isHeated, isAgreed, onAgreed }: { isHeated: boolean; isAgreed: boolean; onAgreed(isAgreed: boolean): void }) {
  const form = useForm();
  const isAired = isOn(form, FAN);
  return (
    <div class="fields">
      <Field name={HEATER} title="There is a heater" isBrief />
      {isHeated && <Field name="heating_control.gpio_pin" title="The heater's pin" isBrief hint={PIN_HINT} />}
      {isHeated && <SafetyBox isAgreed={isAgreed} onAgreed={onAgreed} />}
      <Field name={FAN} title="There is a fan" isBrief />
      {isAired && <Field name="humidity_control.gpio_pin" title="The fan's pin" isBrief hint={PIN_HINT} />}
    </div>
  );
}

const PIN_HINT = "The BCM number: GPIO 16 is pin 36 of the header, GPIO 20 is pin 38. An active-low board belongs on GPIO 5 or 6, which idle high.";

interface TestsProps {
  outputs: OutputName[];
  state: DaemonForm;
  onDone(output: OutputName, isGood: boolean): void;
}

function Tests({ outputs, state, onDone }: TestsProps) {
  return (
    <div class="fields">
      <p>Everything is off by hand during the test, for ten minutes at most. The supply of the heater stays unplugged.</p>
      {outputs.map((output) => (
        <RelayTest key={output} output={output} state={state} onDone={(isGood) => onDone(output, isGood)} />
      ))}
    </div>
  );
}
