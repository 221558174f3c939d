// The page History: what was measured and what heater and fan did, from an hour to a year.

import { useEffect, useMemo, useState } from "preact/hooks";
import { boxTime } from "../clock";
import { NotRead } from "../components/banner";
import { Button } from "../components/button";
import { useLive } from "../live";
import type { Picture } from "../live";
import { chosenBox, temperatureUnit } from "../preferences";
import { navigate, usePlace } from "../router";
import { useStore } from "../store";
import type { Limits } from "../types";
import { Charts } from "./history/Charts";
import { Numbers, PointsTable } from "./history/Numbers";
import { chosenQuantities } from "./history/choice";
import { useHistory } from "./history/loading";
import { QUANTITIES, chosenFields } from "./history/quantities";
import { MOVE_STEP, RANGES, ZOOM_STEP, anchor, exportAddress, moved, pinched, queryOf, spanOf, viewOf, withinReason, zoomed } from "./history/spans";
import type { Span, View } from "./history/spans";
import { sentences, summary } from "./history/summary";
import { timeWords } from "./history/timeaxis";

/** The address follows the view when it rests: browsers allow few changes of it. */
const ADDRESS_MS = 400;
const WORDS = timeWords();

export default function History() {
  const { picture } = useLive();
  const unit = useStore(temperatureUnit);
  const box = useStore(chosenBox);
  const fields = chosenFields(useStore(chosenQuantities));
  const [view, setView] = useView();
  const [width, setWidth] = useState(0);
  const now = useBoxNow(picture, view);
  const { history, problem, isLoading, again } = useHistory(view, fields, width, () => boxNow(picture));
  const span = spanOf(view, now);
  const look = (next: Span) => setView({ ...view, still: withinReason(next, boxNow(picture)) });
  const change = {
    zoom: (factor: number, at = anchor(span, now)) => look(zoomed(span, factor, at, now)),
    move: (share: number) => look(moved(span, share, now)),
    pinch: (before: readonly [number, number], after: readonly [number, number]) => look(pinched(span, before, after, now)),
    show: ([from, to]: readonly [number, number]) => look({ from: span.from + (span.to - span.from) * from, to: span.from + (span.to - span.from) * to }),
    back: () => setView({ ...view, still: null }),
  };
  const inNumbers = useMemo(() => (history === null ? null : summary(history, span)), [history, view]);
  const isEmpty = history !== null && !isLoading && inNumbers?.extremes.length === 0;
  const title = `Chart of ${view.still === null ? view.range.words : spanInWords(span)}`;
  return (
    <>
      <h1>History</h1>
      <Choices view={view} setView={setView} />
      <QuantityChoice fields={fields} />
      <NotRead title="The history could not be read." problem={problem} again={again} />
      <section class="card history" aria-busy={isLoading}>
        <Zoom view={view} {...change} />
        {isEmpty && <p class="empty">{emptyWords(picture, view, history.note ?? null)}</p>}
        <Charts
          {...change}
          history={history ?? NOTHING}
          span={span}
          fields={fields}
          unit={unit}
          limits={limitsOf(picture)}
          isLive={view.still === null}
          title={title}
          measured={setWidth}
        />
        <p id="charts-keys" class="quiet small hint">
          <span class="for-touch">Slide a finger to read, two fingers to zoom.</span>
          <span class="for-mouse">
            Drag to zoom, double-click to go back; Ctrl and the wheel zoom too. Keys: + and − zoom, arrows move, Shift and arrows read, 0 goes back.
          </span>
        </p>
        <p id="charts-summary" class="unseen">
          {inNumbers === null ? "" : sentences(inNumbers, unit)}
        </p>
      </section>
      {inNumbers !== null && !isEmpty && <Numbers of={inNumbers} unit={unit} words={WORDS} />}
      {history !== null && <PointsTable history={history} span={span} fields={fields} unit={unit} words={WORDS} />}
      <p class="row">
        <a class="button" href={exportAddress(span, box, "csv")} download>
          Download as CSV
        </a>
        <span class="quiet small">Every single sample of the time shown, as long as the box keeps them (7 days unless set otherwise).</span>
      </p>
    </>
  );
}

const NOTHING = { box: "", from: 0, to: 0, resolution: 0, timestamps: [], fields: {} };

/** The view, which is in the address too, so that a link shows the same. */
function useView(): [View, (view: View) => void] {
  const place = usePlace();
  const [view, setView] = useState(() => viewOf(place.query));
  useEffect(() => {
    const timer = setTimeout(() => navigate(location.pathname + queryOf(view, location.search), { replace: true }), ADDRESS_MS);
    return () => clearTimeout(timer);
  }, [view]);
  return [view, setView];
}

function boxNow(picture: Picture | null): number {
  return picture === null || picture.fromBefore ? Date.now() / 1000 : boxTime(picture, Date.now());
}

/** The box's clock, as often as the chart moves by a pixel. */
function useBoxNow(picture: Picture | null, view: View): number {
  const [, tick] = useState(0);
  const every = Math.min(60, Math.max(1, view.range.seconds / 1000));
  useEffect(() => {
    const timer = setInterval(() => tick((count) => count + 1), every * 1000);
    return () => clearInterval(timer);
  }, [every]);
  return boxNow(picture);
}

function Choices({ view, setView }: { view: View; setView(view: View): void }) {
  return (
    <div class="choice ranges" role="group" aria-label="Time shown">
      {RANGES.map((range) => (
        <Button key={range.name} isPressed={view.still === null && view.range === range} label={`${range.label}: ${range.words}`} onClick={() => setView({ range, still: null })}>
          {range.label}
        </Button>
      ))}
    </div>
  );
}

interface ZoomProps {
  view: View;
  zoom(factor: number): void;
  move(share: number): void;
  back(): void;
}

function Zoom({ view, zoom, move, back }: ZoomProps) {
  return (
    <div class="zoom" role="group" aria-label="Zoom">
      <Button label="Earlier" onClick={() => move(-MOVE_STEP)}>
        ‹
      </Button>
      <Button label="Later" isDisabled={view.still === null} onClick={() => move(MOVE_STEP)}>
        ›
      </Button>
      <Button label="Zoom in" onClick={() => zoom(ZOOM_STEP)}>
        +
      </Button>
      <Button label="Zoom out" onClick={() => zoom(1 / ZOOM_STEP)}>
        −
      </Button>
      {view.still !== null && (
        <Button label={`Back to ${view.range.words}`} onClick={back}>
          Back
        </Button>
      )}
    </div>
  );
}

function QuantityChoice({ fields }: { fields: readonly string[] }) {
  const { picture } = useLive();
  const hasPressure = picture?.status.sensor.pressure != null || fields.includes("pressure");
  const toggle = (field: string) => {
    const next = fields.includes(field) ? fields.filter((other) => other !== field) : [...fields, field];
    chosenQuantities.set(next.join(","));
  };
  return (
    <div class="row chips" role="group" aria-label="Quantities shown">
      {QUANTITIES.filter(({ field }) => field !== "pressure" || hasPressure).map(({ field, label }) => (
        <Button key={field} class="chip" isPressed={fields.includes(field)} isDisabled={fields.length === 1 && fields.includes(field)} onClick={() => toggle(field)}>
          {label}
        </Button>
      ))}
    </div>
  );
}

/** Only those that are at work. */
function limitsOf(picture: Picture | null): Limits | null {
  const limits = picture?.status.limits;
  if (picture === null || !limits) return null;
  const { heater, fan } = picture.status.controls;
  return {
    ...limits,
    ...(heater.enabled ? {} : { min_temp_c: null, max_temp_c: null }),
    ...(fan.enabled ? {} : { min_humidity: null, max_humidity: null }),
  };
}

function emptyWords(picture: Picture | null, view: View, note: string | null): string {
  if (note !== null) return `No data: ${note}.`;
  if (picture?.status.sensor.timestamp === null) {
    const { error } = picture.status.sensor;
    return error === null ? "No data yet: the first point comes with the first reading, within seconds." : `No data yet: ${error}.`;
  }
  return view.still === null ? "No data yet: the first point comes within seconds." : "Nothing was measured in this time: the box was off, or its sensor gave nothing.";
}

function spanInWords({ from, to }: Span): string {
  return `${WORDS.moment(from, 60)} to ${WORDS.moment(to, 60)}`;
}
