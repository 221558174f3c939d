// OFF without a login: switching off is allowed to everybody who sees the page, so that nobody looks for a password while a heater is on.

import { useState } from "preact/hooks";
import { problemText, request } from "../api";
import { boxQuery } from "../live";
import type { Controlled } from "../types";
import { Button } from "./button";

const OUTPUTS = ["heater", "fan"] as const;

export function OffButtons() {
  const [answers, setAnswers] = useState<Record<string, { words: string; isGood: boolean }>>({});
  const [busy, setBusy] = useState<string | null>(null);
  const off = async (output: (typeof OUTPUTS)[number]) => {
    setBusy(output);
    const say = (words: string, isGood: boolean) => setAnswers((before) => ({ ...before, [output]: { words, isGood } }));
    try {
      const { on } = await request<Controlled>(`/api/controls/${output}${boxQuery()}`, { method: "POST", body: { state: false } });
      if (on) say(`The ${output} is STILL ON. Pull its plug.`, false);
      else say(`The ${output} is off, and stays off until somebody says otherwise.`, true);
    } catch (refused) {
      say(problemText(refused), false);
    } finally {
      setBusy(null);
    }
  };
  return (
    <section class="card" aria-label="Switch off">
      <h2>Switch off</h2>
      <p class="quiet small">Works without a password.</p>
      <div class="off-buttons">
        {OUTPUTS.map((output) => (
          <Button key={output} kind={output === "heater" ? "danger" : "plain"} isBusy={busy === output} onClick={() => void off(output)}>
            {output === "heater" ? "Heater OFF" : "Fan OFF"}
          </Button>
        ))}
      </div>
      <div role="alert">
        {Object.entries(answers).map(([output, { words, isGood }]) => (
          <p key={output} class={isGood ? "" : "problem"}>
            {words}
          </p>
        ))}
      </div>
    </section>
  );
}
