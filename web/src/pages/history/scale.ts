// The height of a chart: which values it shows, and which points stand alone.

import type { Quantity } from "./quantities";

/** Above and below the line, as a share of what is shown. */
const MARGIN = 0.08;

/** From and to on the y axis, for values from `least` to `most` (null: none) and the `lines` drawn across, all in the shown unit. */
export function heightOf(quantity: Quantity, least: number | null, most: number | null, lines: readonly number[]): [number, number] {
  const values = [...lines, ...(least === null || most === null ? [] : [least, most])];
  const low = values.length > 0 ? Math.min(...values) : 0;
  const high = values.length > 0 ? Math.max(...values) : quantity.spread;
  const missing = Math.max(0, quantity.spread - (high - low)) / 2;
  const margin = Math.max(high - low, quantity.spread) * MARGIN;
  let [from, to] = [low - missing - margin, high + missing + margin];
  // Near a bound that it cannot cross, all of the height is on the other side.
  if (quantity.least !== undefined && from < quantity.least) [from, to] = [quantity.least, Math.max(to, quantity.least + quantity.spread)];
  if (quantity.most !== undefined && to > quantity.most) [from, to] = [Math.min(from, quantity.most - quantity.spread), quantity.most];
  return [from, to];
}

/** The points without a neighbour: a line through one of them cannot be seen. */
export function alone(values: ArrayLike<number | null | undefined>): number[] {
  const isGap = (index: number) => values[index] === null || values[index] === undefined;
  const found: number[] = [];
  for (let index = 0; index < values.length; index += 1) {
    if (!isGap(index) && isGap(index - 1) && isGap(index + 1)) found.push(index);
  }
  return found;
}

/** The index of the time that is nearest; null without any. `times` ascend. */
export function nearest(times: readonly number[], at: number): number | null {
  let [low, high] = [0, times.length - 1];
  if (high < 0) return null;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] as number) < at) low = middle + 1;
    else high = middle;
  }
  const isBefore = low > 0 && at - (times[low - 1] as number) < (times[low] as number) - at;
  return isBefore ? low - 1 : low;
}
