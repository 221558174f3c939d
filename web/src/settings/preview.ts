// What a band would do to the readings of the last hours. An estimate: the recorded air had felt what the outputs really did, minimum
// times and the interlock are left out. The rules are those of the daemon's two-point controllers (act outside the band, keep the state
// inside it).

import { span } from "../ages";

export interface Band {
  low: number;
  high: number;
  /** On below the band (a heater), or above it (a fan). */
  acts: "below" | "above";
  unit: string;
}

export interface Demand {
  on: boolean;
  reason: string;
}

/** What the controller wishes at `value`, having wished `wasOn` before. */
export function decide(band: Band, wasOn: boolean, value: number): Demand {
  const { low, high, unit } = band;
  const shown = `${value.toFixed(2)} ${unit}`;
  if (value < low) return { on: band.acts === "below", reason: `${shown} is below ${low} ${unit}` };
  if (value > high) return { on: band.acts === "above", reason: `${shown} is above ${high} ${unit}` };
  return { on: wasOn, reason: `${shown} is within ${low} to ${high} ${unit}, so it stays as it is` };
}

export interface Simulated {
  /** Per point; null where there is no reading. */
  on: (boolean | null)[];
  /** Share of the covered time, 0 to 1; null when no time is covered. */
  share: number | null;
  /** How often it would have gone on. */
  starts: number;
  /** Seconds that readings cover. */
  covered: number;
}

/**
 * Runs the band over `values` at `times` (Unix seconds, ascending). A point holds until the next one, yet no longer than three times the
 * usual distance: behind that lies a gap, which counts as neither on nor off.
 */
export function simulate(band: Band, times: readonly number[], values: readonly (number | null)[], startsOn: boolean): Simulated {
  const usual = median(times.slice(1).map((time, at) => time - (times[at] ?? time)));
  let isOn = startsOn;
  let [onSeconds, covered, starts] = [0, 0, 0];
  const on = values.map((value, at) => {
    if (value === null || value === undefined) return null;
    const wasOn = isOn;
    isOn = decide(band, isOn, value).on;
    if (isOn && !wasOn) starts += 1;
    const time = times[at] ?? 0;
    const held = Math.min((times[at + 1] ?? time + usual) - time, usual * 3);
    covered += held;
    if (isOn) onSeconds += held;
    return isOn;
  });
  return { on, share: covered > 0 ? onSeconds / covered : null, starts, covered };
}

function median(numbers: number[]): number {
  const sorted = numbers.filter((number) => number > 0).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** Whether a band can be tried at all. */
export function isBand(low: number, high: number): boolean {
  return Number.isFinite(low) && Number.isFinite(high) && low < high;
}

/** "34 %" in one piece, and for the little that is more than nothing "under 1 %". */
export function percent(share: number): string {
  const rounded = Math.round(share * 100);
  if (share > 0 && rounded === 0) return "under 1\u00a0%";
  if (share < 1 && rounded === 100) return "over 99\u00a0%";
  return `${rounded}\u00a0%`;
}

/** The time that readings cover, for people: "24 h", "3 h 5 min". */
export function coverage(seconds: number): string {
  // The last day's points seldom cover the last minutes of it.
  return seconds > 23 * 3600 && seconds < 25 * 3600 ? "24 h" : span(seconds);
}

export interface Limits {
  /** Cut-off in °C. */
  cutOff: number;
  /** Largest age of a reading in s. */
  maxAge: number;
  /** How fast the air may warm at worst, in °C/s. */
  slew: number;
}

/** What the limits say about the reading as it is now. */
export function judge(limits: Limits, temperature: number | null, age: number | null): { isHeatAllowed: boolean; reason: string } {
  if (temperature === null || age === null) return { isHeatAllowed: false, reason: "there is no reading" };
  if (age > limits.maxAge) {
    return { isHeatAllowed: false, reason: `the reading is ${age.toFixed(0)} s old; allowed are ${limits.maxAge} s` };
  }
  const projected = temperature + age * limits.slew;
  const counted = `${temperature.toFixed(2)} °C, ${age.toFixed(1)} s old, counts as ${projected.toFixed(1)} °C`;
  if (projected >= limits.cutOff) return { isHeatAllowed: false, reason: `${counted}: the cut-off is ${limits.cutOff} °C` };
  return { isHeatAllowed: true, reason: `${counted}, ${(limits.cutOff - projected).toFixed(1)} °C less than the cut-off` };
}

/** How often readings came to `limit` or above it, and the highest of them. */
export function reached(limit: number, values: readonly (number | null)[]): { times: number; highest: number | null } {
  let [times, wasAbove] = [0, false];
  let highest: number | null = null;
  for (const value of values) {
    if (value === null || value === undefined) continue;
    highest = highest === null ? value : Math.max(highest, value);
    const isAbove = value >= limit;
    if (isAbove && !wasAbove) times += 1;
    wasAbove = isAbove;
  }
  return { times, highest };
}
