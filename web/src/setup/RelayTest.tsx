// The test of one output: is its relay off at rest, and does the right one come on for three seconds? Somebody has to look.

import { useEffect, useState } from "preact/hooks";
import { problemText, request } from "../api";
import { Button } from "../components/button";
import { boxQuery, refresh, useLive } from "../live";
import { parseBool } from "../settings/descriptor";
import { textOf } from "../settings/changes";
import { Field } from "../settings/Field";
import { useForm } from "../settings/form";
import type { Controlled } from "../types";
import { ON_SECONDS, REST_SECONDS, verdict } from "./relay";
import type { OutputName, Seen } from "./relay";
import type { DaemonForm } from "./useDaemonForm";

const KEYS = {
  heater: { pin: "heating_control.gpio_pin", polarity: "heating_control.active_low", rest: "heating_control.min_off" },
  fan: { pin: "humidity_control.gpio_pin", polarity: "humidity_control.active_low", rest: "humidity_control.min_off" },
} as const;

const ANSWERS: [Seen, string][] = [
  ["right", "It clicked on, and off again"],
  ["reversed", "It went off, and came on again"],
  ["another", "Another relay clicked"],
  ["nothing", "Nothing happened"],
];

type Stage = "rest" | "ready" | "on" | "asked" | "done";

/** By hand off while somebody tests: nothing else switches it meanwhile. */
export function holdOff(output: OutputName): Promise<Controlled> {
  return request<Controlled>(`/api/controls/${output}${boxQuery()}`, { method: "POST", body: { state: false, seconds: REST_SECONDS } });
}

interface RelayTestProps {
  output: OutputName;
  state: DaemonForm;
  onDone(isGood: boolean): void;
}

/** Where the test stands, and what a person may do next. */
function useRelayTest({ output, state, onDone }: RelayTestProps) {
  const form = useForm();
  const [stage, setStage] = useState<Stage>("rest");
  const [words, setWords] = useState<string | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [isGood, setGood] = useState(false);
  const [left, rest] = useCountdown();
  const keys = KEYS[output];
  const pin = textOf(form.known, form.changes, keys.pin);
  const turnRound = async () => {
    const isLow = parseBool(textOf(form.known, form.changes, keys.polarity)) === true;
    if (!(await state.save({ [keys.polarity]: String(!isLow) }))) return;
    await holdOff(output).catch(() => {});
    setStage("rest");
  };
  const answered = async (seen: Seen) => {
    const { isGood: good, words: said, turnsRound } = verdict(output, pin, seen);
    setGood(good);
    setWords(said);
    setStage(good ? "done" : "ready");
    onDone(good);
    if (turnsRound) await turnRound();
  };
  const switchOn = async () => {
    setProblem(null);
    setWords(null);
    setStage("on");
    try {
      const answer = await request<Controlled>(`/api/controls/${output}${boxQuery()}`, { method: "POST", body: { state: true, seconds: ON_SECONDS } });
      await pause(1000 * (ON_SECONDS / 2));
      await refresh();
      const now = await request<{ heater: Controlled; fan: Controlled }>(`/api/controls${boxQuery()}`);
      const hasBeenOn = answer.on || now[output].on;
      // Nothing is to be asked about a relay that nobody has switched: there is no sensor, or its pause is not over.
      if (!hasBeenOn) setProblem(`It was not switched on: ${now[output].reason}.`);
      else await pause(1000 * (ON_SECONDS / 2));
      setStage(hasBeenOn ? "asked" : "ready");
    } catch (refused) {
      setProblem(problemText(refused));
      setStage("ready");
    } finally {
      await holdOff(output).catch(() => {});
      void refresh();
      rest(Number(textOf(form.known, form.changes, keys.rest)) + 1);
    }
  };
  return { pin, stage, setStage, words, problem, isGood, left, answered, switchOn };
}

export function RelayTest(props: RelayTestProps) {
  const { output, state } = props;
  const { pin, stage, setStage, words, problem, isGood, left, answered, switchOn } = useRelayTest(props);
  const { picture } = useLive();
  const isOn = picture?.status.controls[output].on ?? false;
  const isSimulated = picture?.status.simulated ?? false;
  return (
    <section class="card" aria-label={`Test of the ${output}`}>
      <h2>
        The {output}'s relay <span class="quiet">GPIO {pin}</span>
      </h2>
      <p class={isOn ? `relay-state ${output}` : "relay-state"} role="status">
        The box says: {isOn ? "ON" : "off"}
        {isSimulated && <span class="quiet"> (simulated: no relay will click; answer by this line)</span>}
      </p>
      {stage === "rest" && <AtRest output={output} pin={pin} isBusy={state.isBusy} onAnswer={(isOff) => (isOff ? setStage("ready") : void answered("reversed"))} />}
      {stage === "ready" && (
        <div class="row">
          <Button kind="primary" isDisabled={left > 0} onClick={() => void switchOn()}>
            Switch on for {ON_SECONDS} s
          </Button>
          {left > 0 && <span class="quiet small">It rests for {left} s between two tests.</span>}
        </div>
      )}
      {stage === "on" && <p role="status">On for {ON_SECONDS} s: look and listen…</p>}
      {stage === "asked" && (
        <div role="group" aria-label="What happened?">
          <p>
            <strong>What happened?</strong> The box says that it was on.
          </p>
          <div class="answers">
            {ANSWERS.map(([seen, text]) => (
              <Button key={seen} onClick={() => void answered(seen)}>
                {text}
              </Button>
            ))}
          </div>
        </div>
      )}
      {words !== null && (
        <p class={isGood ? "tested good" : "tested bad"} role="status">
          <strong>{isGood ? "Good. " : ""}</strong>
          {words}
        </p>
      )}
      <p class="problem" role="alert">
        {problem}
      </p>
      {stage === "ready" && words !== null && !isGood && <PinChange output={output} state={state} />}
      {stage === "done" && (
        <div>
          <Button onClick={() => setStage("rest")}>Test again</Button>
        </div>
      )}
    </section>
  );
}

function AtRest({ output, pin, isBusy, onAnswer }: { output: OutputName; pin: string; isBusy: boolean; onAnswer(isOff: boolean): void }) {
  return (
    <div role="group" aria-label="At rest">
      <p>
        The {output}'s output, GPIO {pin}, is off now. Look at its relay: is its lamp dark, or has it released (the {output} gets no power)?
      </p>
      <div class="answers">
        <Button onClick={() => onAnswer(true)} isBusy={isBusy}>
          Yes, it is off
        </Button>
        <Button onClick={() => onAnswer(false)} isBusy={isBusy}>
          No, it is on
        </Button>
      </div>
    </div>
  );
}

function PinChange({ output, state }: { output: OutputName; state: DaemonForm }) {
  const form = useForm();
  const key = KEYS[output].pin;
  const save = async () => {
    if (await state.save()) await holdOff(output).catch(() => {});
  };
  return (
    <>
      <Field name={key} title="GPIO pin" isBrief hint="The BCM number. GPIO 16 is pin 36 of the header, GPIO 20 is pin 38." />
      {key in form.changes && (
        <div>
          <Button isBusy={state.isBusy} onClick={() => void save()}>
            Use this pin
          </Button>
        </div>
      )}
    </>
  );
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Seconds that are left, and how to begin counting. */
function useCountdown(): [number, (seconds: number) => void] {
  const [left, setLeft] = useState(0);
  useEffect(() => {
    if (left <= 0) return undefined;
    const timer = setTimeout(() => setLeft(left - 1), 1000);
    return () => clearTimeout(timer);
  }, [left]);
  return [left, (seconds) => setLeft(Number.isFinite(seconds) ? Math.ceil(seconds) : 0)];
}
