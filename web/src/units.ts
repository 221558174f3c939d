// Quantities as people read them. The daemon speaks °C, % and g/m³; here they become text, in °F where that is wanted.

import type { TemperatureUnit } from "./preferences";

const MINUS = "−";
const NOT_KNOWN = "–";

export function fahrenheit(celsius: number): number {
  return celsius * 1.8 + 32;
}

export function celsius(fahrenheitDegrees: number): number {
  return (fahrenheitDegrees - 32) / 1.8;
}

/** A number with so many decimals and a real minus; a dash where there is none. "-0.0" is 0. */
export function decimal(value: number | null | undefined, decimals: number): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NOT_KNOWN;
  const text = Math.abs(value).toFixed(decimals);
  return value < 0 && Number(text) !== 0 ? MINUS + text : text;
}

/** A temperature given in °C, as a number in the wanted unit, without the unit. */
export function temperatureNumber(degreesC: number | null | undefined, unit: TemperatureUnit, decimals = 1): string {
  if (degreesC === null || degreesC === undefined) return NOT_KNOWN;
  return decimal(unit === "F" ? fahrenheit(degreesC) : degreesC, decimals);
}

/** "21.3 °C". */
export function temperature(degreesC: number | null | undefined, unit: TemperatureUnit, decimals = 1): string {
  return `${temperatureNumber(degreesC, unit, decimals)} °${unit}`;
}

/** "11.4 %". */
export function percent(value: number | null | undefined, decimals = 1): string {
  return `${decimal(value, decimals)} %`;
}

/** "2.1 g/m³". */
export function absoluteHumidity(value: number | null | undefined, decimals = 1): string {
  return `${decimal(value, decimals)} g/m³`;
}

/** "1.2 MB": bytes in the units of disks. */
export function bytes(count: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = count;
  let at = 0;
  while (value >= 999.5 && at < units.length - 1) {
    value /= 1000;
    at += 1;
  }
  return `${decimal(value, at === 0 || value >= 100 ? 0 : 1)} ${units[at]}`;
}

const NUMBER = "[-−]?\\d+(?:\\.\\d+)?";
/** A temperature in the daemon's words, with what tells a difference ("3 °C in 600 s", "5 °C a second", "0.5 °C/s") from a reading
 * ("20.00 °C rose to 23.90 °C in 600 s"). */
const IN_WORDS = new RegExp(`(to )?(${NUMBER})( to ${NUMBER})? °C(/s| in | less\\b| more\\b| a second)?`, "g");

/** The daemon's words with their temperatures in the wanted unit. */
export function inUnit(words: string, unit: TemperatureUnit): string {
  if (unit === "C") return words;
  return words.replace(IN_WORDS, (_all, to: string | undefined, from: string, until: string | undefined, after: string | undefined) => {
    const isDifference = after !== undefined && !(after === " in " && to !== undefined);
    const convert = (text: string) => {
      const value = Number(text.replace(MINUS, "-"));
      const decimals = Math.min((text.split(".")[1] ?? "").length || 1, 1);
      return String(Number((isDifference ? value * 1.8 : fahrenheit(value)).toFixed(decimals)));
    };
    const upper = until === undefined ? "" : ` to ${convert(until.slice(4))}`;
    return `${to ?? ""}${convert(from)}${upper} °F${after ?? ""}`;
  });
}
