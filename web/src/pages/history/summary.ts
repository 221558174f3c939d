// The history in words and numbers: for those who do not see the chart, and for those who want one number.

import { span as spanWords } from "../../ages";
import type { TemperatureUnit } from "../../preferences";
import type { History, OutputName } from "../../types";
import { decimal } from "../../units";
import { QUANTITIES, text } from "./quantities";
import type { Quantity } from "./quantities";
import type { Span } from "./spans";
import { lengthsOf } from "./strips";

export interface Extremes {
  readonly quantity: Quantity;
  readonly mean: number;
  readonly least: number;
  readonly leastAt: number;
  readonly most: number;
  readonly mostAt: number;
}

export interface Duty {
  readonly output: OutputName;
  /** The share of the measured time, 0 to 1. */
  readonly share: number;
  /** Seconds. */
  readonly onTime: number;
}

export interface Summary {
  readonly extremes: readonly Extremes[];
  readonly duties: readonly Duty[];
}

const OUTPUTS: readonly OutputName[] = ["heater", "fan"];

/** What happened within the span; quantities and outputs without a point in it are left out. */
export function summary(history: History, span: Span): Summary {
  const lengths = lengthsOf(history.timestamps, history.resolution);
  // A point stands for the time after it, so the one that reaches into the span counts.
  const inside = history.timestamps.flatMap((at, index) => (at <= span.to && at + (lengths[index] as number) > span.from ? [index] : []));
  return {
    extremes: QUANTITIES.flatMap((quantity) => extremesOf(history, quantity, inside, lengths)),
    duties: OUTPUTS.flatMap((output) => dutyOf(history, output, inside, lengths)),
  };
}

function extremesOf(history: History, quantity: Quantity, inside: readonly number[], lengths: readonly number[]): Extremes[] {
  const column = history.fields[quantity.field];
  if (column === undefined) return [];
  let [sum, time] = [0, 0];
  let least = { value: Infinity, at: 0 };
  let most = { value: -Infinity, at: 0 };
  for (const index of inside) {
    const mean = column.mean[index] ?? null;
    if (mean === null) continue;
    const at = history.timestamps[index] as number;
    const length = lengths[index] as number;
    sum += mean * length;
    time += length;
    const low = column.min?.[index] ?? mean;
    const high = column.max?.[index] ?? mean;
    if (low < least.value) least = { value: low, at };
    if (high > most.value) most = { value: high, at };
  }
  if (time === 0) return [];
  return [{ quantity, mean: sum / time, least: least.value, leastAt: least.at, most: most.value, mostAt: most.at }];
}

function dutyOf(history: History, output: OutputName, inside: readonly number[], lengths: readonly number[]): Duty[] {
  const shares = history.fields[`${output}_on`]?.mean ?? [];
  let [onTime, time] = [0, 0];
  for (const index of inside) {
    const share = shares[index] ?? null;
    if (share === null) continue;
    onTime += share * (lengths[index] as number);
    time += lengths[index] as number;
  }
  return time === 0 ? [] : [{ output, share: onTime / time, onTime }];
}

/** "12 %"; what is there but small is not 0. */
export function shareWords(share: number): string {
  const inPercent = share * 100;
  if (inPercent > 0 && inPercent < 1) return "under 1 %";
  if (inPercent < 100 && inPercent > 99) return "over 99 %";
  return `${decimal(inPercent, 0)} %`;
}

/** Sentences for a screen reader. */
export function sentences(of: Summary, unit: TemperatureUnit): string {
  if (of.extremes.length === 0) return "Nothing was measured in this time.";
  const measured = of.extremes.map(
    ({ quantity, mean, least, most }) =>
      `${quantity.label} ${text(quantity, mean, unit)} on average, from ${text(quantity, least, unit)} to ${text(quantity, most, unit)}.`,
  );
  const outputs = of.duties.map(({ output, share, onTime }) => {
    const name = output === "heater" ? "Heater" : "Fan";
    return onTime === 0 ? `${name} never on.` : `${name} on for ${shareWords(share)} of the time, ${spanWords(onTime)}.`;
  });
  return [...measured, ...outputs].join(" ");
}

/** The rows of the table: at most so many of the span's points, evenly chosen, with gaps left out. */
export function rows(history: History, span: Span, most: number): number[] {
  const inside = history.timestamps.flatMap((at, index) => (at >= span.from && at <= span.to && isKnown(history, index) ? [index] : []));
  const step = Math.max(1, Math.ceil(inside.length / most));
  return inside.filter((_, index) => index % step === 0);
}

function isKnown(history: History, index: number): boolean {
  return Object.values(history.fields).some((column) => (column.mean[index] ?? null) !== null);
}
