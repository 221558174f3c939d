// The last hour as a line without axes: up, down or steady. The numbers are on the page History.

import { useEffect, useState } from "preact/hooks";
import { request } from "../api";
import { boxTime } from "../clock";
import { boxQuery, live } from "../live";
import { chosenBox } from "../preferences";
import { useStore } from "../store";
import type { History } from "../types";

const SPAN_S = 3600;
const POINTS = 60;
const AGAIN_MS = 60_000;
const WIDTH = 120;
const HEIGHT = 32;

type Lines = Record<string, (number | null)[]>;

/** Means of the last hour by field; empty where there is no history (yet). */
export function useLastHour(fields: readonly string[]): Lines {
  const [lines, setLines] = useState<Lines>({});
  const box = useStore(chosenBox);
  useEffect(() => {
    const ended = new AbortController();
    const ask = async () => {
      if (document.hidden) return;
      const { picture } = live.get();
      const now = Math.floor(picture === null ? Date.now() / 1000 : boxTime(picture, Date.now()));
      const query = `${boxQuery() || "?"}&from=${now - SPAN_S}&to=${now}&points=${POINTS}&fields=${fields.join()}`;
      try {
        const history = await request<History>(`/api/history${query.replace("?&", "?")}`, { signal: ended.signal });
        setLines(Object.fromEntries(fields.map((field) => [field, history.fields[field]?.mean ?? []])));
      } catch {
        // No line; the numbers are what counts.
      }
    };
    void ask();
    const timer = setInterval(() => void ask(), AGAIN_MS);
    return () => {
      ended.abort();
      clearInterval(timer);
    };
  }, [box]);
  return lines;
}

/** `smallest`: the span of values below which all is drawn as steady, so that noise looks like noise. */
export function Sparkline({ values, smallest }: { values: (number | null)[] | undefined; smallest: number }) {
  const path = sparkPath(values ?? [], smallest);
  if (path === "") return null;
  return (
    <svg class="sparkline" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true" focusable="false">
      <path d={path} vector-effect="non-scaling-stroke" />
    </svg>
  );
}

/** The line as an SVG path, broken at gaps; empty for fewer than two values. */
export function sparkPath(values: (number | null)[], smallest: number): string {
  const known = values.filter((value): value is number => value !== null);
  if (known.length < 2) return "";
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const range = Math.max(high - low, smallest);
  const bottom = (low + high - range) / 2;
  let pen = "M";
  let path = "";
  values.forEach((value, index) => {
    if (value === null) {
      pen = "M";
      return;
    }
    const x = (index / (values.length - 1)) * WIDTH;
    const y = HEIGHT - 2 - ((value - bottom) / range) * (HEIGHT - 4);
    path += `${pen}${x.toFixed(1)} ${y.toFixed(1)}`;
    pen = "L";
  });
  return path;
}
