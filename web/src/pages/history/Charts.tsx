// The charts: a panel for each quantity and one for the outputs, read and moved together. Loaded only when History is opened.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { span as spanWords } from "../../ages";
import type { TemperatureUnit } from "../../preferences";
import type { History, Limits, OutputName } from "../../types";
import { follow } from "./gestures";
import type { Gestures } from "./gestures";
import { usePalette } from "./palette";
import type { Palette } from "./palette";
import { decimal } from "../../units";
import { LEFT_PX, RIGHT_PX, quantityPlot, stripsPlot } from "./plot";
import type { Plot } from "./plot";
import { QUANTITIES, shown, text } from "./quantities";
import type { Quantity } from "./quantities";
import { nearest } from "./scale";
import { MOVE_STEP, ZOOM_STEP } from "./spans";
import type { Span } from "./spans";
import { shareWords } from "./summary";
import { timeWords } from "./timeaxis";

export interface ChartsProps {
  history: History;
  span: Span;
  fields: readonly string[];
  unit: TemperatureUnit;
  limits: Limits | null;
  /** Whether the newest point is now. */
  isLive: boolean;
  /** In words, for the chart's name. */
  title: string;
  show(part: readonly [number, number]): void;
  /** Without `at` it is the newest or the middle that stays. */
  zoom(factor: number, at?: number): void;
  move(share: number): void;
  pinch(before: readonly [number, number], after: readonly [number, number]): void;
  /** Back to the range. */
  back(): void;
  /** Pixels of the plots, for as many points. */
  measured(width: number): void;
}

const WORDS = timeWords();

export function Charts(props: ChartsProps) {
  const { history, span, unit } = props;
  const host = useRef<HTMLDivElement>(null);
  const palette = usePalette();
  const [width, setWidth] = useState(0);
  const [part, setPart] = useState<readonly [number, number] | null>(null);
  const [place, setPlace] = useState<number | null>(null);
  const { read, step, keyboard } = useReading(props, place, setPlace);
  useGestures(host, props, setPlace, setPart);
  useEffect(() => {
    const element = host.current;
    if (element === null) return;
    const measure = () => {
      setWidth(element.clientWidth);
      props.measured(element.clientWidth - LEFT_PX - RIGHT_PX);
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const shared = { history, span, width, palette, part, read: place === null && keyboard === null ? null : read };
  const panels = QUANTITIES.filter((quantity) => props.fields.includes(quantity.field));
  return (
    <div
      ref={host}
      class="charts"
      tabIndex={0}
      role="group"
      aria-label={props.title}
      aria-describedby="charts-keys charts-summary"
      onKeyDown={(event) => onKey(event, props, step)}
      onDblClick={props.back}
    >
      <p class="reading number">
        <span>{read === null ? "\u00a0" : whenWords(history, read, shared.read === null && props.isLive)}</span>
        <span class="unseen" aria-live="polite">
          {keyboard === null || read === null ? "" : readingWords(history, read, panels, unit)}
        </span>
      </p>
      {panels.map((quantity) => (
        <QuantityPanel key={quantity.field} {...shared} quantity={quantity} unit={unit} limits={limitsOf(quantity, props.limits)} at={read} />
      ))}
      <Panel
        {...shared}
        heading={
          <>
            <h2>Heater and fan</h2>
            <Outputs history={history} at={read} />
          </>
        }
        make={(host) => stripsPlot(host, { palette, words: WORDS, width })}
        made={[palette]}
      />
    </div>
  );
}

/** The point that is read: under the pointer, chosen by keys, or the newest. */
function useReading(props: ChartsProps, place: number | null, setPlace: (at: number | null) => void) {
  const { history, span } = props;
  // A moment and not an index: points come and go.
  const [keyboard, setKeyboard] = useState<number | null>(null);
  useEffect(() => {
    if (place !== null) setKeyboard(null);
  }, [place]);
  const at = place !== null ? span.from + (span.to - span.from) * place : keyboard;
  const known = useMemo(() => knownIndexes(history, span), [history, span.from, span.to]);
  const times = known.map((index) => history.timestamps[index] as number);
  const found = at === null ? times.length - 1 : nearest(times, at);
  const step = (by: number) => {
    const next = known[Math.min(known.length - 1, Math.max(0, (found ?? 0) + by))];
    setPlace(null);
    if (next !== undefined) setKeyboard(history.timestamps[next] as number);
  };
  return { read: found === null ? null : (known[found] ?? null), step, keyboard };
}

function knownIndexes(history: History, span: Span): number[] {
  const columns = Object.values(history.fields);
  return history.timestamps.flatMap((at, index) => {
    const isInside = at >= span.from - history.resolution && at <= span.to;
    return isInside && columns.some((column) => (column.mean[index] ?? null) !== null) ? [index] : [];
  });
}

function useGestures(host: { current: HTMLElement | null }, props: ChartsProps, setPlace: (at: number | null) => void, setPart: Gestures["mark"]) {
  const latest = useRef(props);
  latest.current = props;
  useEffect(() => {
    const element = host.current;
    if (element === null) return;
    const plot = () => {
      const { left, width } = element.getBoundingClientRect();
      return { left: left + LEFT_PX, width: width - LEFT_PX - RIGHT_PX };
    };
    return follow(element, plot, {
      read: setPlace,
      mark: setPart,
      choose: (part) => latest.current.show(part),
      pinch: (before, after) => latest.current.pinch(before, after),
      zoom: (factor, at) => latest.current.zoom(factor, at),
      move: (share) => latest.current.move(share),
    });
  }, []);
}

/** The keys that the hint under the charts names. */
function onKey(event: KeyboardEvent, props: ChartsProps, step: (by: number) => void): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const by = event.key === "ArrowLeft" ? -1 : event.key === "ArrowRight" ? 1 : 0;
  if (by !== 0 && event.shiftKey) step(by);
  else if (by !== 0) props.move(by * MOVE_STEP);
  else if (event.key === "+" || event.key === "=") props.zoom(ZOOM_STEP);
  else if (event.key === "-") props.zoom(1 / ZOOM_STEP);
  else if (event.key === "0" || event.key === "Escape") props.back();
  else return;
  event.preventDefault();
}

interface SharedProps {
  history: History;
  span: Span;
  width: number;
  palette: Palette;
  part: readonly [number, number] | null;
  /** The index that the line of the cursor stands on. */
  read: number | null;
}

interface QuantityPanelProps extends SharedProps {
  quantity: Quantity;
  unit: TemperatureUnit;
  /** In the daemon's unit. */
  limits: readonly number[];
  at: number | null;
}

function QuantityPanel({ quantity, unit, limits, at, ...shared }: QuantityPanelProps) {
  const { palette, width, history } = shared;
  const heading = (
    <>
      <h2>{quantity.label}</h2>
      <Value history={history} at={at} quantity={quantity} unit={unit} />
      {limits.length > 0 && <p class="panel-limits quiet small">{limitWords(quantity, limits, unit)}</p>}
    </>
  );
  return (
    <Panel
      {...shared}
      heading={heading}
      make={(host) => quantityPlot(host, quantity, unit, limits, { palette, words: WORDS, width })}
      made={[palette, unit, limits.join()]}
    />
  );
}

interface PanelProps extends SharedProps {
  heading: ComponentChildren;
  make(host: HTMLElement): Plot;
  /** What the plot is made of: another of these is another plot. */
  made: readonly unknown[];
}

function Panel({ heading, make, made, history, span, width, part, read }: PanelProps) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<Plot | null>(null);
  const isReady = width > 0;
  useEffect(() => {
    if (host.current === null || !isReady) return;
    const fresh = make(host.current);
    plot.current = fresh;
    return () => {
      plot.current = null;
      fresh.end();
    };
  }, [isReady, ...made]);
  useEffect(() => plot.current?.resize(width), [width]);
  useEffect(() => plot.current?.show(history, span), [history, span.from, span.to, isReady, ...made]);
  useEffect(() => plot.current?.read(read), [read, history, span.from, span.to, width, isReady, ...made]);
  useEffect(() => plot.current?.mark(part), [part, ...made]);
  return (
    <section class="panel">
      <div class="panel-heading">{heading}</div>
      <div ref={host} class="plot" aria-hidden="true" />
    </section>
  );
}

function Value({ history, at, quantity, unit }: { history: History; at: number | null; quantity: Quantity; unit: TemperatureUnit }) {
  const column = history.fields[quantity.field];
  if (at === null || column === undefined) return null;
  const [least, most] = [column.min?.[at] ?? null, column.max?.[at] ?? null];
  return (
    <p class="number">
      <strong>{text(quantity, column.mean[at], unit)}</strong>
      {history.resolution > 0 && least !== null && most !== null && (
        <span class="quiet small">
          {" "}
          {decimal(shown(quantity, least, unit), 1)} to {decimal(shown(quantity, most, unit), 1)}
        </span>
      )}
    </p>
  );
}

function Outputs({ history, at }: { history: History; at: number | null }) {
  if (at === null) return null;
  return (
    <p class="number">
      Heater <strong>{outputWords(history, "heater", at)}</strong>, fan <strong>{outputWords(history, "fan", at)}</strong>
    </p>
  );
}

function outputWords(history: History, output: OutputName, at: number): string {
  const share = history.fields[`${output}_on`]?.mean[at] ?? null;
  if (share === null) return "–";
  if (share === 0) return "off";
  return share === 1 ? "on" : shareWords(share);
}

function whenWords(history: History, at: number, isNewest: boolean): string {
  const moment = WORDS.moment(history.timestamps[at] as number, history.resolution);
  if (isNewest) return `Newest: ${moment}`;
  return history.resolution < 120 ? moment : `${moment}, mean of ${spanWords(history.resolution)}`;
}

function readingWords(history: History, at: number, shown: readonly Quantity[], unit: TemperatureUnit): string {
  const values = shown.map((quantity) => `${quantity.label} ${text(quantity, history.fields[quantity.field]?.mean[at], unit)}`);
  return [whenWords(history, at, false), ...values, `heater ${outputWords(history, "heater", at)}`, `fan ${outputWords(history, "fan", at)}`].join(", ");
}

/** What the dashed lines are; the lower limit first. */
function limitWords(quantity: Quantity, limits: readonly number[], unit: TemperatureUnit): string {
  const [low, high] = limits.map((limit) => text(quantity, limit, unit).replace(" ", "\u00a0"));
  return quantity.isTemperature ? `Dashed: heater on below ${low}, off above ${high}` : `Dashed: fan on above ${high}, off below ${low}`;
}

function limitsOf(quantity: Quantity, limits: Limits | null): number[] {
  const { field } = quantity;
  const low = field === "temperature_c" ? limits?.min_temp_c : field === "humidity" ? limits?.min_humidity : null;
  const high = field === "temperature_c" ? limits?.max_temp_c : field === "humidity" ? limits?.max_humidity : null;
  return low == null || high == null ? [] : [low, high];
}
