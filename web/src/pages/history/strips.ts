// The strips of heater and fan: how much of each moment an output was on.

/** A part of a strip in which nothing changes. */
export interface Piece {
  readonly from: number;
  to: number;
  /** The share of the time that it was on, 0 to 1. */
  readonly share: number;
}

/** Shares that look the same are drawn as one piece. */
const SHADES = 20;
/** A raw sample stands for the time until the next one, at most for so many of the usual intervals. */
const REACH_INTERVALS = 3;

/** The pieces of a strip, none where nothing is known. With `resolution` 0 the points are raw samples. */
export function pieces(times: readonly number[], shares: readonly (number | null)[], resolution: number): Piece[] {
  const lengths = lengthsOf(times, resolution);
  const found: Piece[] = [];
  times.forEach((from, index) => {
    const exact = shares[index];
    if (exact === null || exact === undefined) return;
    // A heater that was on for a moment is not shown as off.
    const share = exact > 0 ? Math.max(1, Math.round(exact * SHADES)) / SHADES : 0;
    const to = from + (lengths[index] as number);
    const before = found.at(-1);
    if (before !== undefined && before.share === share && from - before.to < 0.001) before.to = to;
    else found.push({ from, to, share });
  });
  return found;
}

/** What each point stands for, in seconds. */
export function lengthsOf(times: readonly number[], resolution: number): number[] {
  const apart = times.slice(1).map((at, index) => at - (times[index] as number));
  const sorted = [...apart].sort((a, b) => a - b);
  const usual = resolution > 0 ? resolution : (sorted[Math.floor(sorted.length / 2)] ?? 1);
  const reach = resolution > 0 ? resolution : usual * REACH_INTERVALS;
  return times.map((_, index) => Math.min(apart[index] ?? usual, reach));
}
