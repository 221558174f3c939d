// uPlot, as we use it: one plot for each quantity and one for the strips of heater and fan, all with the same time axis and margins. uPlot draws;
// pointers and keys are in gestures.ts and Charts.tsx, readings in the headings of the panels.

import uPlot from "uplot";
import type { TemperatureUnit } from "../../preferences";
import type { History } from "../../types";
import type { Palette } from "./palette";
import { shown } from "./quantities";
import type { Quantity } from "./quantities";
import { alone, heightOf } from "./scale";
import type { Span } from "./spans";
import { pieces } from "./strips";
import type { TimeWords } from "./timeaxis";

/** Pixels left and right of every plot, so that all stand under each other. */
export const LEFT_PX = 50;
export const RIGHT_PX = 14;
const TIME_AXIS_PX = 40;
const PLOT_PX = 140;
const STRIPS_PX = 58;
const FONT = "12px system-ui, -apple-system, sans-serif";

export interface Plot {
  resize(width: number): void;
  show(history: History, span: Span): void;
  /** The index of the point that is read. */
  read(index: number | null): void;
  mark(part: readonly [number, number] | null): void;
  end(): void;
}

interface Looks {
  palette: Palette;
  words: TimeWords;
  width: number;
}

/** The plot of a quantity with its limits as dashed lines, given in °C as the daemon does. */
export function quantityPlot(host: HTMLElement, quantity: Quantity, unit: TemperatureUnit, limits: readonly number[], looks: Looks): Plot {
  const { palette } = looks;
  const lines = limits.map((limit) => shown(quantity, limit, unit));
  const colour = palette.colour(quantity.colour);
  const edge = { width: 0, points: { show: false } };
  const options: uPlot.Options = {
    ...frame(looks, PLOT_PX, false),
    scales: { x: timeScale(), y: { range: (_plot, least, most) => heightOf(quantity, least, most, lines) } },
    series: [{}, edge, edge, { stroke: colour, width: 2, points: { size: 5, width: 1, fill: colour, filter: aloneOnly } }],
    bands: [{ series: [1, 2], fill: palette.thin(quantity.colour, "4d") }],
    hooks: { drawAxes: [(plot) => drawLimits(plot, lines, palette.quiet)] },
  };
  const columns = (history: History): uPlot.AlignedData => {
    const column = history.fields[quantity.field];
    const empty = history.timestamps.map(() => null);
    const inUnit = (values: (number | null)[] | undefined) => values?.map((value) => (value === null ? null : shown(quantity, value, unit))) ?? empty;
    const mean = inUnit(column?.mean);
    // Raw samples have no spread.
    if (history.resolution === 0) return [history.timestamps, empty, empty, mean];
    return [history.timestamps, inUnit(column?.max), inUnit(column?.min), mean];
  };
  return plotOf(new uPlot(options, undefined, host), columns, PLOT_PX);
}

/** The strips of heater and fan, with the marks of the time axis. */
export function stripsPlot(host: HTMLElement, looks: Looks): Plot {
  const { palette } = looks;
  let now: History | null = null;
  const options = frame(looks, STRIPS_PX + TIME_AXIS_PX, true);
  const [times, lanes] = options.axes as [uPlot.Axis, uPlot.Axis];
  Object.assign(lanes, { splits: [0.5, 1.5], values: () => ["Fan", "Heater"], grid: { show: false }, ticks: { show: false }, stroke: palette.ink });
  const hidden = { paths: () => null, points: { show: false } };
  const plot = new uPlot(
    {
      ...options,
      axes: [times, lanes],
      scales: { x: timeScale(), y: { range: [0, 2] } },
      series: [{}, hidden, hidden],
      hooks: {
        draw: [
          (drawn) => {
            if (now === null) return;
            drawStrip(drawn, now, "heater_on", 1, palette.colour("--heat"), palette.line);
            drawStrip(drawn, now, "fan_on", 0, palette.colour("--fan"), palette.line);
          },
        ],
      },
    },
    undefined,
    host,
  );
  const columns = (history: History): uPlot.AlignedData => {
    now = history;
    const share = (field: string) => history.fields[field]?.mean ?? history.timestamps.map(() => null);
    return [history.timestamps, share("heater_on"), share("fan_on")];
  };
  return plotOf(plot, columns, STRIPS_PX + TIME_AXIS_PX);
}

function plotOf(plot: uPlot, columns: (history: History) => uPlot.AlignedData, height: number): Plot {
  return {
    resize: (width) => plot.setSize({ width, height }),
    show: (history, span) =>
      plot.batch(() => {
        plot.setData(columns(history), false);
        plot.setScale("x", { min: span.from, max: span.to });
      }),
    read(index) {
      const at = index === null ? undefined : plot.data[0]?.[index];
      plot.setCursor(at === undefined ? { left: -10, top: -10 } : { left: plot.valToPos(at, "x"), top: 0 }, false);
    },
    mark(part) {
      const width = plot.bbox.width / uPlot.pxRatio;
      const [from, to] = part ?? [0, 0];
      plot.setSelect({ left: from * width, top: 0, width: (to - from) * width, height: plot.bbox.height / uPlot.pxRatio }, false);
    },
    end: () => plot.destroy(),
  };
}

/** What all plots have alike. */
function frame({ palette, words, width }: Looks, height: number, hasTimes: boolean): uPlot.Options {
  const grid = { stroke: palette.line, width: 1 };
  const nothing = () => null;
  return {
    width,
    height,
    padding: [6, RIGHT_PX, hasTimes ? 0 : 6, 0],
    legend: { show: false },
    cursor: {
      y: false,
      points: { size: 8 },
      drag: { x: false, y: false, setScale: false },
      bind: { mousedown: nothing, mouseup: nothing, click: nothing, dblclick: nothing, mousemove: nothing, mouseleave: nothing, mouseenter: nothing },
    },
    series: [],
    axes: [
      {
        stroke: palette.quiet,
        font: FONT,
        grid,
        ticks: { ...grid, size: 4, show: hasTimes },
        size: hasTimes ? TIME_AXIS_PX : 0,
        space: 64,
        lineGap: 1.2,
        values: (_plot, splits, _axis, _space, apart) => (hasTimes ? words.marks(splits, apart) : splits.map(() => null)),
      },
      { stroke: palette.quiet, font: FONT, grid, ticks: { ...grid, size: 4 }, size: LEFT_PX, gap: 4, space: 24 },
    ],
  };
}

/** Ours to set; data never moves it. */
function timeScale(): uPlot.Scale {
  return { time: true, auto: false, min: 0, max: 1 };
}

function aloneOnly(plot: uPlot, index: number, isShown: boolean): number[] | null {
  return isShown ? null : alone(plot.data[index] ?? []);
}

function drawLimits(plot: uPlot, lines: readonly number[], colour: string): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.lineWidth = uPlot.pxRatio;
  ctx.setLineDash([6 * uPlot.pxRatio, 4 * uPlot.pxRatio]);
  for (const line of lines) {
    const y = Math.round(plot.valToPos(line, "y", true)) + 0.5;
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
  }
  ctx.restore();
}

/** A lane with its pieces: the longer it was on, the fuller; off is a thin line, nothing known is nothing. */
function drawStrip(plot: uPlot, history: History, field: string, lane: number, colour: string, off: string): void {
  const { ctx, bbox } = plot;
  const top = plot.valToPos(lane + 0.85, "y", true);
  const height = plot.valToPos(lane + 0.15, "y", true) - top;
  const thin = Math.max(2, Math.round(2 * uPlot.pxRatio));
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const piece of pieces(history.timestamps, history.fields[field]?.mean ?? [], history.resolution)) {
    const left = plot.valToPos(piece.from, "x", true);
    const width = Math.max(1, plot.valToPos(piece.to, "x", true) - left);
    ctx.globalAlpha = piece.share === 0 ? 1 : 0.2 + 0.8 * piece.share;
    ctx.fillStyle = piece.share === 0 ? off : colour;
    if (piece.share === 0) ctx.fillRect(left, top + (height - thin) / 2, width, thin);
    else ctx.fillRect(left, top, width, height);
  }
  ctx.restore();
}
