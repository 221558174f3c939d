// The heater's and the fan's card: what it is, why, for how long, and the buttons. What became of a press is said under the buttons.

import { useEffect, useId, useState } from "preact/hooks";
import { countdown } from "../ages";
import { sentence } from "../api";
import { boxTime } from "../clock";
import { wish } from "../control";
import type { Outcome } from "../control";
import type { Picture } from "../live";
import { boxQuery } from "../live";
import { temperatureUnit } from "../preferences";
import { useStore } from "../store";
import type { Output, OutputName } from "../types";
import { inUnit } from "../units";
import { Button, Link } from "./button";
import { Icon } from "./icons";

const TITLES = { heater: "Heater", fan: "Fan" } as const;

export function OutputCard({ name, picture, now }: { name: OutputName; picture: Picture; now: number }) {
  const unit = useStore(temperatureUnit);
  const id = useId();
  const output = picture.status.controls[name];
  const [pressed, setPressed] = useState<boolean | null | undefined>(undefined);
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  // What was said of the last press is old as soon as the mode is another.
  useEffect(() => setOutcome((last) => (last?.tone === "failed" ? last : null)), [output.manual, output.on]);
  const press = async (state: boolean | null) => {
    if (pressed !== undefined) return;
    setPressed(state);
    setOutcome(null);
    setOutcome(await wish(name, state, picture.status.box));
    setPressed(undefined);
  };
  const button = (state: boolean | null, words: string, label: string) => (
    <Button isPressed={output.manual === state} isBusy={pressed === state} label={label} describedBy={`${id}-why`} onClick={() => void press(state)}>
      {words}
    </Button>
  );
  if (!output.enabled) return null;
  return (
    <section class={`card output ${name} ${output.on ? "on" : ""}`} aria-labelledby={`${id}-title`}>
      <div class="output-head">
        <Icon name={name} />
        <h2 id={`${id}-title`}>{TITLES[name]}</h2>
        <strong class="output-state">{output.on ? "ON" : "OFF"}</strong>
      </div>
      <p id={`${id}-why`} class="output-why">
        {sentence(inUnit(output.reason, unit))}
      </p>
      <p class="quiet small number">{modeWords(output, boxTime(picture, now))}</p>
      <div class="choice" role="group" aria-labelledby={`${id}-title`}>
        {button(true, "On 30 min", `${TITLES[name]} on for 30 minutes`)}
        {button(false, "Off", `${TITLES[name]} off`)}
        {button(null, "Auto", `${TITLES[name]} automatic`)}
      </div>
      <div role="alert">{outcome !== null && outcome.tone !== "done" && <Said outcome={outcome} />}</div>
    </section>
  );
}

function Said({ outcome }: { outcome: Outcome }) {
  const unit = useStore(temperatureUnit);
  return (
    <div class={`banner ${outcome.tone === "refused" ? "warning" : "danger"}`}>
      <p>{inUnit(outcome.words, unit)}</p>
      {outcome.needsLogin && <Link to={`/login${boxQuery()}`}>Log in</Link>}
    </div>
  );
}

/** Who decides, and until when. */
function modeWords(output: Output, boxNow: number): string {
  if (output.mode === "auto") return "Automatic";
  const wished = `By hand: ${output.manual ? "on" : "off"}`;
  if (output.until === null) return `${wished}, until somebody chooses Auto`;
  return `${wished} for ${countdown(output.until - boxNow)} more, then automatic`;
}
