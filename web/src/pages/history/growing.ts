// A history that goes on: the points of the live stream are put to those that the daemon sent.

import type { History, Status } from "../../types";

type Column = { mean: (number | null)[]; min?: (number | null)[]; max?: (number | null)[] };

/** One live reading with the outputs as they were. */
export interface LivePoint {
  readonly at: number;
  readonly values: Readonly<Record<string, number | null>>;
}

/** So many usual intervals without a reading are a gap. */
const GAP_INTERVALS = 3;
/** Within this much, readings are never a gap: a sensor may need a second try. */
const GAP_MIN_S = 15;
/** So many intervals tell the usual one. */
const LOOK_BACK = 9;

/** The status as a point; null without a reading. */
export function livePoint(status: Status): LivePoint | null {
  const { sensor, controls } = status;
  if (sensor.timestamp === null || sensor.temperature_c === null) return null;
  return {
    at: sensor.timestamp,
    values: {
      temperature_c: sensor.temperature_c,
      humidity: sensor.humidity,
      absolute_humidity: sensor.absolute_humidity,
      dew_point_c: sensor.dew_point_c,
      pressure: sensor.pressure,
      heater_on: Number(controls.heater.on),
      fan_on: Number(controls.fan.on),
    },
  };
}

/** The history with the point; the same history where it says nothing new. What was given is not changed. */
export function grown(history: History, point: LivePoint): History {
  const { timestamps, resolution } = history;
  const last = timestamps.at(-1);
  if (last === undefined) return added(history, point.at, point);
  if (resolution === 0) {
    if (point.at <= last) return history;
    const isGap = point.at - last > Math.max(GAP_MIN_S, GAP_INTERVALS * usualInterval(timestamps));
    return added(isGap ? added(history, (last + point.at) / 2, null) : history, point.at, point);
  }
  if (point.at <= history.to) return history;
  const steps = Math.floor((point.at - last) / resolution);
  if (steps < 1) return merged(history, point);
  const start = last + steps * resolution;
  return added(steps > GAP_INTERVALS ? added(history, last + resolution, null) : history, start, point);
}

/** A row more; null: a gap. */
function added(history: History, at: number, point: LivePoint | null): History {
  const fields = eachColumn(history, (column, name) => {
    const value = point?.values[name] ?? null;
    const longer: Column = { mean: [...column.mean, value] };
    if (column.min) longer.min = [...column.min, value];
    if (column.max) longer.max = [...column.max, value];
    return longer;
  });
  return { ...history, to: Math.max(history.to, point?.at ?? at), timestamps: [...history.timestamps, at], fields };
}

/** Into the last row: its mean is weighted by the time that each part stands for. */
function merged(history: History, point: LivePoint): History {
  const start = history.timestamps.at(-1) as number;
  const share = Math.min(1, Math.max(0, (point.at - history.to) / (point.at - start)));
  const fields = eachColumn(history, (column, name) => {
    const value = point.values[name] ?? null;
    if (value === null) return column;
    const mean = column.mean.at(-1) ?? null;
    const next: Column = { mean: [...column.mean.slice(0, -1), mean === null ? value : mean * (1 - share) + value * share] };
    if (column.min) next.min = [...column.min.slice(0, -1), Math.min(column.min.at(-1) ?? value, value)];
    if (column.max) next.max = [...column.max.slice(0, -1), Math.max(column.max.at(-1) ?? value, value)];
    return next;
  });
  return { ...history, to: point.at, fields };
}

function eachColumn(history: History, change: (column: Column, name: string) => Column): History["fields"] {
  return Object.fromEntries(Object.entries(history.fields).map(([name, column]) => [name, change(column, name)]));
}

/** The middle one of the latest intervals. */
function usualInterval(timestamps: readonly number[]): number {
  const latest = timestamps.slice(-LOOK_BACK - 1);
  const intervals = latest.slice(1).map((at, index) => at - (latest[index] as number)).sort((a, b) => a - b);
  return intervals[Math.floor(intervals.length / 2)] ?? Infinity;
}
