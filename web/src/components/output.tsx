// The heater's and the fan's card: what it is, why, for how long, and the buttons. What became of a press is said under the buttons.

import { useId, useState } from "preact/hooks";
import { countdown } from "../ages";
import { sentence } from "../api";
import { boxTime } from "../clock";
import { wish } from "../control";
import type { Outcome } from "../control";
import type { Picture } from "../live";
import { temperatureUnit } from "../preferences";
import { useStore } from "../store";
import type { Output, OutputName } from "../types";
import { inUnit } from "../units";
import { Button, Link } from "./button";
import { Icon } from "./icons";

const TITLES = { heater: "Heater", fan: "Fan" } as const;

interface OutputCardProps {
  name: OutputName;
  picture: Picture;
  now: number;
  /** What is shown is how it was. */
  isStale: boolean;
}

export function OutputCard({ name, picture, now, isStale }: OutputCardProps) {
  const unit = useStore(temperatureUnit);
  const id = useId();
  const output = picture.status.controls[name];
  const [pressed, setPressed] = useState<boolean | null | undefined>(undefined);
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const press = async (state: boolean | null) => {
    if (pressed !== undefined) return;
    setPressed(state);
    setOutcome(null);
    setOutcome(await wish(name, state, picture.status.box));
    setPressed(undefined);
  };
  const button = (state: boolean | null, words: string) => (
    <Button isPressed={output.manual === state} isBusy={pressed === state} label={`${TITLES[name]}: ${words}`} describedBy={`${id}-why`} onClick={() => void press(state)}>
      {words}
    </Button>
  );
  if (!output.enabled) return null;
  const isHeldBack = output.manual !== null && output.manual !== output.on;
  const why = inUnit(output.reason, unit);
  return (
    <section class={`card output ${name} ${output.on ? "on" : ""}`} aria-labelledby={`${id}-title`}>
      <div class="output-head">
        <Icon name={name} />
        <h2 id={`${id}-title`}>{TITLES[name]}</h2>
        <strong class="output-state">
          {isStale && "was "}
          {output.on ? "ON" : "OFF"}
        </strong>
      </div>
      {!isHeldBack && <p id={`${id}-why`}>{sentence(why)}</p>}
      <p class="quiet small number">{modeWords(output, boxTime(picture, now))}</p>
      <div class="choice" role="group" aria-labelledby={`${id}-title`}>
        {button(true, "On 30 min")}
        {button(false, "Off")}
        {button(null, "Auto")}
      </div>
      {isHeldBack && (
        <div class="banner warning" id={`${id}-why`}>
          <p>
            <strong>Still {output.on ? "on" : "off"}:</strong> {why}
          </p>
        </div>
      )}
      <Said outcome={outcome} isHeldBack={isHeldBack} />
    </section>
  );
}

/** The answer to the press. A reason with figures in it changes with every reading, so what is read out is the answer, once. */
function Said({ outcome, isHeldBack }: { outcome: Outcome | null; isHeldBack: boolean }) {
  const unit = useStore(temperatureUnit);
  return (
    <>
      <p class="unseen" role="status">
        {outcome !== null && (outcome.tone === "done" || (outcome.tone === "refused" && isHeldBack)) && inUnit(outcome.words, unit)}
      </p>
      <div role="alert">
        {outcome?.tone === "failed" && (
          <div class="banner danger">
            <p>{inUnit(outcome.words, unit)}</p>
            {outcome.needsLogin && <Link to="/login">Log in</Link>}
          </div>
        )}
      </div>
    </>
  );
}

/** Who decides, and until when. */
function modeWords(output: Output, boxNow: number): string {
  if (output.mode === "auto") return "Automatic";
  const wished = `By hand: ${output.manual ? "on" : "off"}`;
  if (output.until === null) return `${wished}, until somebody chooses Auto`;
  return `${wished} for ${countdown(output.until - boxNow)} more, then automatic`;
}
