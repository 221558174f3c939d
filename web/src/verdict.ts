// Is it dry? The words at the top of the page, from the reading and the limits that hold.

import { span } from "./ages";
import type { TemperatureUnit } from "./preferences";
import type { Sensor, Status } from "./types";
import { inUnit, percent, temperature } from "./units";

/** The sensor is read every few seconds; an older reading says nothing about now. */
const FRESH_MAX_S = 60;
/** Filament is printed in a room; the air's humidity there decides how it prints. */
export const ROOM_C = 20;
/** Cooler air is as good as room air: its percentage misleads nobody. */
const WARM_FROM_C = 25;

export interface Verdict {
  tone: "good" | "busy" | "warning" | "unknown";
  headline: string;
  detail: string;
}

/** Saturation vapour pressure over water in hPa (Magnus formula, WMO-No. 8, as in the daemon). */
function saturationHpa(celsius: number): number {
  return 6.112 * Math.exp((17.62 * celsius) / (243.12 + celsius));
}

/** The relative humidity in percent that the same air would have at `celsius`; at most 100: the rest would be water on the walls. */
export function humidityAt(sensor: Pick<Sensor, "temperature_c" | "humidity">, celsius: number): number | null {
  if (sensor.temperature_c === null || sensor.humidity === null) return null;
  return Math.min(100, (sensor.humidity * saturationHpa(sensor.temperature_c)) / saturationHpa(celsius));
}

/** `age`: of the reading, in seconds. */
export function verdict(status: Status, age: number | null, unit: TemperatureUnit): Verdict {
  const { sensor, controls } = status;
  if (age === null || sensor.humidity === null || sensor.temperature_c === null) {
    const why = sensor.error === null ? "The sensor has not been read yet." : `The sensor gives nothing: ${inUnit(sensor.error, unit)}`;
    return { tone: "unknown", headline: "No reading", detail: why };
  }
  if (age > FRESH_MAX_S) {
    const why = sensor.error === null ? "" : `: ${inUnit(sensor.error, unit)}`;
    return { tone: "unknown", headline: "Old reading", detail: `The sensor was last read ${span(age)} ago${why}` };
  }
  const limit = status.limits?.max_humidity ?? null;
  if (limit === null) return { tone: "good", headline: "Measuring", detail: "No limit of humidity is known." };
  if (sensor.humidity > limit) {
    const over = `${percent(sensor.humidity)} is over the limit of ${percent(limit, 0)}`;
    const helpers = [controls.heater.on ? "heater" : "", controls.fan.on ? "fan" : ""].filter(Boolean).join(" and ");
    if (helpers !== "") return { tone: "busy", headline: "Drying", detail: `${over}; ${helpers} on.` };
    return { tone: "warning", headline: "Too humid", detail: `${over}, and nothing is on.` };
  }
  const cooled = humidityAt(sensor, ROOM_C);
  if (sensor.temperature_c >= WARM_FROM_C && cooled !== null && cooled > limit) {
    const room = temperature(ROOM_C, unit, 0);
    return {
      tone: "busy",
      headline: "Dry while warm",
      detail: `Cooled to ${room} this air would have ${percent(cooled, 0)}, over the limit of ${percent(limit, 0)}.`,
    };
  }
  return { tone: "good", headline: "Dry", detail: `${percent(sensor.humidity)} is within the limit of ${percent(limit, 0)}.` };
}

/** What changed enough to be read out: not every reading, but every switch and every verdict. */
export function spoken(status: Status, headline: string): string {
  const outputs = (["heater", "fan"] as const)
    .filter((name) => status.controls[name].enabled)
    .map((name) => `${name} ${status.controls[name].on ? "on" : "off"}`);
  const faults = status.safety.faults.map((fault) => `fault: ${fault}`);
  return [headline, ...outputs, ...faults].join(", ");
}
