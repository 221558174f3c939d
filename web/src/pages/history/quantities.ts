// The measured quantities: what they are called, their units, and how their lines look.

import type { TemperatureUnit } from "../../preferences";
import { decimal, fahrenheit } from "../../units";

export interface Quantity {
  /** The field in the history. */
  readonly field: string;
  readonly label: string;
  /** The custom property with the colour of its line. */
  readonly colour: string;
  readonly isTemperature: boolean;
  readonly unit: string;
  /** The least height of the chart in the unit, so that noise stays small. */
  readonly spread: number;
  /** What it cannot leave. */
  readonly least?: number;
  readonly most?: number;
}

export const QUANTITIES: readonly Quantity[] = [
  { field: "temperature_c", label: "Temperature", colour: "--chart-temperature", isTemperature: true, unit: "°C", spread: 2 },
  { field: "humidity", label: "Humidity", colour: "--chart-humidity", isTemperature: false, unit: "%", spread: 4, least: 0, most: 100 },
  { field: "dew_point_c", label: "Dew point", colour: "--chart-dew", isTemperature: true, unit: "°C", spread: 2 },
  { field: "absolute_humidity", label: "Water in the air", colour: "--chart-absolute", isTemperature: false, unit: "g/m³", spread: 1, least: 0 },
  { field: "pressure", label: "Pressure", colour: "--chart-pressure", isTemperature: false, unit: "hPa", spread: 4 },
];

/** What is shown until somebody chooses. */
export const SHOWN_FIRST: readonly string[] = ["temperature_c", "humidity"];

export function unitOf(quantity: Quantity, unit: TemperatureUnit): string {
  return quantity.isTemperature ? `°${unit}` : quantity.unit;
}

/** A value of the daemon in the unit that is shown. */
export function shown(quantity: Quantity, value: number, unit: TemperatureUnit): number {
  return quantity.isTemperature && unit === "F" ? fahrenheit(value) : value;
}

/** "21.3 °C". */
export function text(quantity: Quantity, value: number | null | undefined, unit: TemperatureUnit): string {
  const inUnit = value === null || value === undefined ? null : shown(quantity, value, unit);
  return `${decimal(inUnit, 1)} ${unitOf(quantity, unit)}`;
}

/** The fields to ask for: those that are shown, and always the outputs. */
export function fieldsFor(fields: readonly string[]): string {
  return [...fields, "heater_on", "fan_on"].join(",");
}

/** The kept choice ("humidity,pressure") as fields that exist, in their order; never none. */
export function chosenFields(kept: string): string[] {
  const wanted = kept.split(",");
  const found = QUANTITIES.map((quantity) => quantity.field).filter((field) => wanted.includes(field));
  return found.length > 0 ? found : [...SHOWN_FIRST];
}
