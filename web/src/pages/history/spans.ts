// The span of time that is looked at: its ranges, zooming and moving it, and how it stands in the page's address. No drawing here.

/** From and to, in Unix seconds. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

export interface Range {
  readonly name: string;
  /** On its button. */
  readonly label: string;
  /** In a sentence. */
  readonly words: string;
  readonly seconds: number;
}

const HOUR = 3_600;
const DAY = 24 * HOUR;

/** The journal keeps five years of hours; a year is what people compare. */
export const RANGES: readonly Range[] = [
  { name: "1h", label: "1 h", words: "the last hour", seconds: HOUR },
  { name: "6h", label: "6 h", words: "the last 6 hours", seconds: 6 * HOUR },
  { name: "24h", label: "24 h", words: "the last 24 hours", seconds: DAY },
  { name: "7d", label: "7 d", words: "the last 7 days", seconds: 7 * DAY },
  { name: "30d", label: "30 d", words: "the last 30 days", seconds: 30 * DAY },
  { name: "1y", label: "1 y", words: "the last year", seconds: 365 * DAY },
];

const FIRST = RANGES[2] as Range;

/** Below a minute there is one sample on the screen. */
export const SPAN_MIN_S = 60;
/** As long as the journal keeps anything. */
export const SPAN_MAX_S = 5 * 366 * DAY;
/** A step of the buttons and keys: half the span in or out, a third of it sideways. */
export const ZOOM_STEP = 0.5;
export const MOVE_STEP = 1 / 3;

/** A span that ends so close to now, as a share of its length, is one of the present. */
const NEAR_NOW = 0.1;

/** What is looked at: a range that ends now and moves on with the clock, or a part of the past that stands still. */
export interface View {
  readonly range: Range;
  readonly still: Span | null;
}

export function spanOf(view: View, now: number): Span {
  return view.still ?? { from: now - view.range.seconds, to: now };
}

/** No shorter and no longer than sensible, and not in the future. */
export function withinReason(span: Span, now: number): Span {
  const length = Math.min(SPAN_MAX_S, Math.max(SPAN_MIN_S, span.to - span.from));
  const middle = (span.from + span.to) / 2;
  const to = Math.min(middle + length / 2, now);
  return { from: to - length, to };
}

/** `factor` times as long, with what is at the share `at` (0 left, 1 right) staying in its place. */
export function zoomed(span: Span, factor: number, at: number, now: number): Span {
  const length = Math.min(SPAN_MAX_S, Math.max(SPAN_MIN_S, (span.to - span.from) * factor));
  const fixed = span.from + (span.to - span.from) * at;
  return withinReason({ from: fixed - length * at, to: fixed + length * (1 - at) }, now);
}

/** What stays in its place when buttons or keys zoom: the newest where it is in view, else the middle. */
export function anchor(span: Span, now: number): number {
  return now - span.to < (span.to - span.from) * NEAR_NOW ? 1 : 0.5;
}

/** Moved by a share of its length; positive is later. */
export function moved(span: Span, share: number, now: number): Span {
  const by = (span.to - span.from) * share;
  return withinReason({ from: span.from + by, to: span.to + by }, now);
}

/** Two fingers: what was under them stays under them. `before` and `after` are shares of the width, left and right. */
export function pinched(span: Span, before: readonly [number, number], after: readonly [number, number], now: number): Span {
  const length = span.to - span.from;
  const apart = Math.max(0.05, after[1] - after[0]);
  const next = Math.min(SPAN_MAX_S, Math.max(SPAN_MIN_S, (length * Math.max(0.05, before[1] - before[0])) / apart));
  const middle = span.from + (length * (before[0] + before[1])) / 2;
  const at = (after[0] + after[1]) / 2;
  return withinReason({ from: middle - next * at, to: middle + next * (1 - at) }, now);
}

/** The view of "?range=7d&from=..&to=.."; what makes no sense there is ignored. */
export function viewOf(query: string): View {
  const asked = new URLSearchParams(query);
  const range = RANGES.find((one) => one.name === asked.get("range")) ?? FIRST;
  const [from, to] = [Number(asked.get("from") ?? NaN), Number(asked.get("to") ?? NaN)];
  const isSpan = from > 0 && to - from >= SPAN_MIN_S && to - from <= SPAN_MAX_S;
  return { range, still: isSpan ? { from, to } : null };
}

/** The query with the view in it, and whatever else was there. */
export function queryOf(view: View, query: string): string {
  const next = new URLSearchParams(query);
  next.set("range", view.range.name);
  if (view.still === null) {
    next.delete("from");
    next.delete("to");
  } else {
    next.set("from", String(Math.floor(view.still.from)));
    next.set("to", String(Math.ceil(view.still.to)));
  }
  return `?${next}`;
}

/** Where every sample of the span can be had. */
export function exportAddress(span: Span, box: string, format: "csv" | "jsonl"): string {
  const query = new URLSearchParams({ from: String(Math.floor(span.from)), to: String(Math.ceil(span.to)), format });
  if (box !== "") query.set("box", box);
  return `/api/history/export?${query}`;
}

/** Points to ask for: one for each pixel, as many as the daemon gives. */
export function pointsFor(width: number): number {
  return Math.min(2000, Math.max(100, Math.round(width)));
}
