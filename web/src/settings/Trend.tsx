// A small drawing: the last day's readings, the band or a limit over them, and when an output would have been on. What it shows is said
// in words beside it, so it is a picture with a name, not a chart to be read with the fingers.

import { decimal } from "../units";

interface TrendProps {
  times: readonly number[];
  values: readonly (number | null)[];
  band?: { low: number; high: number };
  limit?: number;
  /** Drawn as a strip below. */
  on?: readonly (boolean | null)[];
  kind: "heat" | "fan";
  unit: string;
  /** What a screen reader says of it. */
  name: string;
}

const WIDTH = 300;
const HEIGHT = 90;
const STRIP = 8;
/** Space above and below the values, as a share of their range. */
const AIR = 0.12;

export function Trend({ times, values, band, limit, on, kind, unit, name }: TrendProps) {
  const drawn = values.filter((value): value is number => value !== null);
  const shownLimits = [...(band ? [band.low, band.high] : []), ...(limit === undefined ? [] : [limit])];
  const all = [...drawn, ...shownLimits];
  if (all.length === 0 || times.length === 0) return null;
  const [least, most] = [Math.min(...all), Math.max(...all)];
  const air = Math.max((most - least) * AIR, 0.5);
  const [bottom, top] = [least - air, most + air];
  const [from, to] = [times[0] ?? 0, times.at(-1) ?? 1];
  const x = (time: number) => ((time - from) / Math.max(to - from, 1)) * WIDTH;
  const y = (value: number) => ((top - value) / (top - bottom)) * HEIGHT;
  return (
    <figure class={`trend ${kind}`}>
      <div class="trend-scale number" aria-hidden="true">
        <span>{decimal(top, 0)}</span>
        <span>
          {decimal(bottom, 0)} {unit}
        </span>
      </div>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT + STRIP + 2}`} preserveAspectRatio="none" role="img" aria-label={name}>
        {band && <rect class="trend-band" x="0" width={WIDTH} y={y(band.high)} height={Math.max(y(band.low) - y(band.high), 1)} />}
        {limit !== undefined && <line class="trend-limit" x1="0" x2={WIDTH} y1={y(limit)} y2={y(limit)} />}
        <path class="trend-line" d={line(times, values, x, y)} />
        {on && strips(times, on).map(([start, end]) => <rect key={start} class="trend-on" x={x(start)} width={Math.max(x(end) - x(start), 1)} y={HEIGHT + 2} height={STRIP} />)}
      </svg>
      <figcaption class="trend-span quiet small" aria-hidden="true">
        <span>{hoursAgo(from)}</span>
        <span>now</span>
      </figcaption>
    </figure>
  );
}

function hoursAgo(from: number): string {
  const hours = Math.round((Date.now() / 1000 - from) / 3600);
  return hours < 1 ? "within the hour" : `${hours} h ago`;
}

/** The line, broken where there are no values. */
export function line(times: readonly number[], values: readonly (number | null)[], x: (time: number) => number, y: (value: number) => number): string {
  let isDown = false;
  const parts: string[] = [];
  values.forEach((value, at) => {
    const time = times[at];
    if (value === null || time === undefined) {
      isDown = false;
      return;
    }
    parts.push(`${isDown ? "L" : "M"}${x(time).toFixed(1)} ${y(value).toFixed(1)}`);
    isDown = true;
  });
  return parts.join("");
}

/** From when to when it is on. */
export function strips(times: readonly number[], on: readonly (boolean | null)[]): [number, number][] {
  const found: [number, number][] = [];
  let start: number | null = null;
  on.forEach((isOn, at) => {
    const time = times[at] ?? 0;
    if (isOn === true && start === null) start = time;
    if (isOn !== true && start !== null) {
      found.push([start, time]);
      start = null;
    }
  });
  if (start !== null) found.push([start, times.at(-1) ?? start]);
  return found;
}
