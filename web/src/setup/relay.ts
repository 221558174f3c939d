// The relay test and the first heat: what follows from what a person has seen, and how a heater that is new stays off.

import type { OutputName } from "../types";

export type { OutputName };

/** A click that can be heard and seen. */
export const ON_SECONDS = 3;
/** By hand off while the test goes on, in s: nothing heats meanwhile, and a phone that is put away leaves nothing behind. */
export const REST_SECONDS = 600;

/** What a person saw. */
export type Seen = "right" | "reversed" | "another" | "nothing";

export interface Verdict {
  isGood: boolean;
  words: string;
  /** The polarity is to be turned round. */
  turnsRound: boolean;
}

/** What follows from what was seen while the output was said to be on. */
export function verdict(output: OutputName, pin: string, seen: Seen): Verdict {
  switch (seen) {
    case "right":
      return { isGood: true, words: `The ${output} is on the right pin and off at rest.`, turnsRound: false };
    case "reversed":
      return {
        isGood: false,
        words: "The board switches on at low level: that is turned round now. Test again.",
        turnsRound: true,
      };
    case "another":
      return { isGood: false, words: `The relay on GPIO ${pin} is another one: choose the pin of the ${output}'s relay and test again.`, turnsRound: false };
    case "nothing":
      return {
        isGood: false,
        words: `Nothing is connected to GPIO ${pin}, or the board has no power: check the pin (BCM number, not the number on the header), ground and the board's 5 V, then test again.`,
        turnsRound: false,
      };
  }
}

/** Heat that nobody has chosen yet: with this band a heater that has just been enabled stays off. In °C. */
export const PARKED = { low: "0", high: "0.5" } as const;

/** Whether a band is the one above. */
export function isParked(low: string, high: string): boolean {
  return Number(low) === Number(PARKED.low) && Number(high) === Number(PARKED.high);
}

const KEPT_AS = "setup-band";

/** Keeps the band that was there before, to be proposed again. */
export function keepBand(low: string, high: string): void {
  try {
    localStorage.setItem(KEPT_AS, JSON.stringify([low, high]));
  } catch {
    // Forbidden: the defaults are proposed.
  }
}

/** The band that was there before, if this browser has parked it. */
export function keptBand(): { low: string; high: string } | null {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(KEPT_AS) ?? "null");
    if (!Array.isArray(found) || typeof found[0] !== "string" || typeof found[1] !== "string") return null;
    return { low: found[0], high: found[1] };
  } catch {
    return null;
  }
}
