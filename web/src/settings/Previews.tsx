// What the thresholds on the form would do, beside them: to the reading as it is now, and to the last day.

import { useEffect, useState } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { readingAge, useNow } from "../clock";
import { useLive } from "../live";
import { chosenBox, temperatureUnit } from "../preferences";
import { useStore } from "../store";
import { fahrenheit, inUnit } from "../units";
import { textOf } from "./changes";
import { useForm } from "./form";
import { isOn } from "./Field";
import { coverage, decide, isBand, judge, percent, reached, simulate } from "./preview";
import type { Band } from "./preview";
import { loadPast } from "./requests";
import type { Past } from "./requests";
import { Trend } from "./Trend";

/** Undefined while it is asked for, null where there is none. */
function usePast(): Past | null | undefined {
  const box = useStore(chosenBox);
  const [past, setPast] = useState<Past | null | undefined>(undefined);
  useEffect(() => {
    const ended = new AbortController();
    loadPast(box, ended.signal).then(setPast, () => {
      if (!ended.signal.aborted) setPast(null);
    });
    return () => ended.abort();
  }, [box]);
  return past;
}

const OUTPUTS = {
  heater: { low: "heating_control.min_temp_c", high: "heating_control.max_temp_c", enabled: "heating_control.enabled", unit: "°C", acts: "below" },
  fan: { low: "humidity_control.min_humidity", high: "humidity_control.max_humidity", enabled: "humidity_control.enabled", unit: "%", acts: "above" },
} as const;

export function BandPreview({ output }: { output: "heater" | "fan" }) {
  const form = useForm();
  const past = usePast();
  const { picture } = useLive();
  const unit = useStore(temperatureUnit);
  const keys = OUTPUTS[output];
  const number = (key: string) => Number(textOf(form.known, form.changes, key) || NaN);
  const band: Band = { low: number(keys.low), high: number(keys.high), acts: keys.acts, unit: keys.unit };
  if (!isBand(band.low, band.high)) {
    return (
      <Frame output={output}>
        <p>There is nothing to try yet: the lower value must be a number below the upper one.</p>
      </Frame>
    );
  }
  const sensor = picture?.status.sensor;
  const value = (output === "heater" ? sensor?.temperature_c : sensor?.humidity) ?? null;
  const wasOn = picture?.status.controls[output].on ?? false;
  const values = past?.[output === "heater" ? "temperature" : "humidity"] ?? [];
  const began = (past?.[output === "heater" ? "heaterOn" : "fanOn"] ?? []).find((share) => share !== null);
  const simulated = past ? simulate(band, past.times, values, (began ?? 0) >= 0.5) : null;
  const now = nowInWords(band, output, wasOn, value);
  const then = simulated && simulated.share !== null ? pastInWords(simulated.share, simulated.starts, simulated.covered) : null;
  const isFahrenheit = unit === "F" && band.unit === "°C";
  const shown = (celsius: number) => (isFahrenheit ? fahrenheit(celsius) : celsius);
  return (
    <Frame output={output}>
      <p>{inUnit(now, unit)}</p>
      {past && simulated && then !== null && (
        <Trend
          times={past.times}
          values={values.map((one) => (one === null ? null : shown(one)))}
          band={{ low: shown(band.low), high: shown(band.high) }}
          on={simulated.on}
          kind={output === "heater" ? "heat" : "fan"}
          unit={isFahrenheit ? "°F" : band.unit}
          name={`The last day and the band from ${band.low} to ${band.high} ${band.unit}. ${then}`}
        />
      )}
      {past !== undefined && (
        <p class="quiet small">{then === null ? "There are no readings of the last day to try it on." : `${then} An estimate: with another heater and fan the air would have been another.`}</p>
      )}
      {!isOn(form, keys.enabled) && <p class="quiet small">There is no {output} here as it is set.</p>}
    </Frame>
  );
}

function Frame({ output, children }: { output: "heater" | "fan" | "limits"; children: ComponentChildren }) {
  const words = { heater: "What the heater would do", fan: "What the fan would do", limits: "What the limits say now" };
  return (
    <section class="preview" aria-label={words[output]}>
      <h2>At these values</h2>
      {children}
    </section>
  );
}

/** "The heater would be ON now, because 17.53 °C is below 20 °C." */
export function nowInWords(band: Band, output: "heater" | "fan", wasOn: boolean, value: number | null): string {
  if (value === null) return `There is no reading now; the ${output} would be OFF.`;
  const { on, reason } = decide(band, wasOn, value);
  const isKept = value >= band.low && value <= band.high;
  if (isKept) return `The ${output} would stay ${on ? "ON" : "OFF"} now, because ${reason.replace(/, so it stays.*/, "")}.`;
  return `The ${output} would be ${on ? "ON" : "OFF"} now, because ${reason}.`;
}

export function pastInWords(share: number, starts: number, covered: number): string {
  const times = starts === 0 ? "" : `, switched on ${starts === 1 ? "once" : `${starts} times`}`;
  return `In the last ${coverage(covered)} it would have been on ${percent(share)} of the time${times}.`;
}

/** The safety limits, on the reading as it is now. */
export function LimitsPreview() {
  const form = useForm();
  const past = usePast();
  const { picture } = useLive();
  const time = useNow();
  const unit = useStore(temperatureUnit);
  const number = (key: string) => Number(textOf(form.known, form.changes, key) || NaN);
  const limits = { cutOff: number("safety.max_temp_c"), maxAge: number("safety.max_sample_age"), slew: number("safety.slew_c_per_s") };
  if (!Object.values(limits).every(Number.isFinite)) {
    return (
      <Frame output="limits">
        <p>There is nothing to try yet: the cut-off, the age and the slew must be numbers.</p>
      </Frame>
    );
  }
  const { isHeatAllowed, reason } = judge(limits, picture?.status.sensor.temperature_c ?? null, picture ? readingAge(picture, time) : null);
  const { times, highest } = reached(limits.cutOff, past?.temperature ?? []);
  const often = times === 0 ? "never came to the cut-off" : `came to the cut-off ${times === 1 ? "once" : `${times} times`}`;
  const shown = (celsius: number) => (unit === "F" ? fahrenheit(celsius) : celsius);
  const then = highest === null ? null : `In the last day the air ${often}; the highest reading was ${highest.toFixed(1)} °C.`;
  return (
    <Frame output="limits">
      <p>{inUnit(`Heat would be ${isHeatAllowed ? "allowed" : "REFUSED"} by them now: ${reason}.`, unit)}</p>
      {past && then !== null && (
        <Trend times={past.times} values={past.temperature.map((one) => (one === null ? null : shown(one)))} limit={shown(limits.cutOff)} kind="heat" unit={`°${unit}`} name={inUnit(then, unit)} />
      )}
      {then !== null && <p class="quiet small">{inUnit(then, unit)} The relay guard has limits of its own; the stricter one holds.</p>}
    </Frame>
  );
}
