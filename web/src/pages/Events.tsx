// The page Events: what happened and why, newest first.

import { useEffect, useId, useMemo, useRef, useState } from "preact/hooks";
import { problemText, request, sentence } from "../api";
import { NotRead } from "../components/banner";
import { Button } from "../components/button";
import { Icon } from "../components/icons";
import { useLive } from "../live";
import { temperatureUnit } from "../preferences";
import type { TemperatureUnit } from "../preferences";
import { useStore } from "../store";
import type { LoggedEvent } from "../types";
import { inUnit } from "../units";
import { KINDS, NO_FILTER, days, joined, kindLabel, matches } from "./events/list";
import type { Filter, Level } from "./events/list";

const PAGE = 100;
/** The stream tells when something may have happened; more often than so is not asked. */
const ASK_EVERY_MS = 2_000;
/** Made once: making it is slow. */
const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export default function Events() {
  const unit = useStore(temperatureUnit);
  const [filter, setFilter] = useState<Filter>(NO_FILTER);
  const { events, problem, isLoading, hasMore, more, again } = useEvents();
  const shown = useMemo(() => (events ?? []).filter((event) => matches(event, filter)), [events, filter]);
  const today = new Date().toDateString();
  // The same list as before is not drawn again: the page is told several times a second what the sensor says.
  const list = useMemo(() => <Days events={shown} unit={unit} />, [shown, unit, today]);
  const isFiltered = filter.kind !== "" || filter.level !== "all" || filter.text.trim() !== "";
  return (
    <>
      <h1>Events</h1>
      <FilterForm filter={filter} setFilter={setFilter} />
      <NotRead title="The events could not be read." problem={problem} again={again} />
      <p class="quiet small" role="status">
        {events === null ? "Loading…" : countWords(shown.length, events.length, isFiltered, hasMore)}
        {isFiltered && shown.length === 0 && events !== null && (
          <>
            {" "}
            <Button onClick={() => setFilter(NO_FILTER)}>Show all</Button>
          </>
        )}
      </p>
      {list}
      {hasMore && (
        <div>
          <Button isBusy={isLoading} onClick={more}>
            Load earlier events
          </Button>
        </div>
      )}
    </>
  );
}

function Days({ events, unit }: { events: readonly LoggedEvent[]; unit: TemperatureUnit }) {
  return (
    <>
      {days(events, Date.now() / 1000).map(({ title, events: ofDay }) => (
        <section key={`${title} ${ofDay.at(-1)?.id}`} class="card day">
          <h2>{title}</h2>
          <ol class="events">
            {ofDay.map((event) => (
              <Line key={event.id} event={event} unit={unit} />
            ))}
          </ol>
        </section>
      ))}
    </>
  );
}

function countWords(shown: number, all: number, isFiltered: boolean, hasMore: boolean): string {
  if (all === 0) return "Nothing has happened yet.";
  const loaded = hasMore ? `the latest ${all}` : `all ${all}`;
  if (!isFiltered) return `${sentence(loaded)} events.`;
  return shown === 0 ? `None of ${loaded} events is like that.` : `${shown} of ${loaded} events.`;
}

interface Loaded {
  events: LoggedEvent[] | null;
  problem: string | null;
  isLoading: boolean;
  hasMore: boolean;
  more(): void;
  again(): void;
}

/** The newest events, kept up to date; `more` adds a page of earlier ones. */
function useEvents(): Loaded {
  const { picture } = useLive();
  const [events, setEvents] = useState<LoggedEvent[] | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [isLoading, setLoading] = useState(false);
  const [hasMore, setHasMore] = useState(false);
  const known = useRef<LoggedEvent[]>([]);
  const askedAt = useRef(0);

  const take = (more: readonly LoggedEvent[]) => {
    known.current = joined(known.current, more);
    setEvents(known.current);
    setProblem(null);
  };
  const newest = async () => {
    askedAt.current = Date.now();
    try {
      const { events: found } = await request<{ events: LoggedEvent[] }>(`/api/events?limit=${PAGE}`);
      const isFirst = known.current.length === 0;
      const last = found.at(-1);
      // So many at once that some between may be missing: begin anew.
      if (!isFirst && found.length === PAGE && last !== undefined && !known.current.some(({ id }) => id >= last.id)) known.current = [];
      if (known.current.length === 0) setHasMore(found.length === PAGE);
      take(found);
    } catch (refused) {
      setProblem(problemText(refused));
    }
  };
  const more = async () => {
    const oldest = known.current.at(-1);
    if (oldest === undefined) return;
    setLoading(true);
    try {
      const { events: found } = await request<{ events: LoggedEvent[] }>(`/api/events?limit=${PAGE}&before=${oldest.id}`);
      const before = known.current.length;
      take(found);
      setHasMore(found.length === PAGE && known.current.length > before);
    } catch (refused) {
      setProblem(problemText(refused));
    }
    setLoading(false);
  };

  useEffect(() => {
    const wait = Math.max(0, askedAt.current + ASK_EVERY_MS - Date.now());
    const timer = setTimeout(() => void newest(), wait);
    return () => clearTimeout(timer);
  }, [picture]);
  return { events, problem, isLoading, hasMore, more: () => void more(), again: () => void newest() };
}

function FilterForm({ filter, setFilter }: { filter: Filter; setFilter(filter: Filter): void }) {
  const id = useId();
  return (
    <form class="event-filter" role="search" aria-label="Filter the events" onSubmit={(event) => event.preventDefault()}>
      <label class="field" for={`${id}-text`}>
        Search
        <input id={`${id}-text`} type="search" placeholder="heater, sensor, …" value={filter.text} onInput={(event) => setFilter({ ...filter, text: event.currentTarget.value })} />
      </label>
      <label class="field" for={`${id}-kind`}>
        About
        <select id={`${id}-kind`} value={filter.kind} onChange={(event) => setFilter({ ...filter, kind: event.currentTarget.value })}>
          <option value="">Everything</option>
          {KINDS.map(([kind, label]) => (
            <option key={kind} value={kind}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <label class="field" for={`${id}-level`}>
        How serious
        <select id={`${id}-level`} value={filter.level} onChange={(event) => setFilter({ ...filter, level: event.currentTarget.value as Level })}>
          <option value="all">All</option>
          <option value="warning">Warnings and errors</option>
          <option value="error">Errors</option>
        </select>
      </label>
    </form>
  );
}

function Line({ event, unit }: { event: LoggedEvent; unit: TemperatureUnit }) {
  const { timestamp, severity, kind, box } = event;
  const time = timestamp === null ? null : new Date(timestamp * 1000);
  return (
    <li class={`event ${severity}`}>
      {time === null ? (
        <span class="event-time quiet">–</span>
      ) : (
        <time class="event-time quiet number" dateTime={time.toISOString()}>
          {TIME.format(time)}
        </time>
      )}
      <p class="event-text">
        {severity !== "info" && (
          <strong class="event-severity">
            <Icon name={severity === "error" ? "danger" : "warning"} /> {severity === "error" ? "Error" : "Warning"}
          </strong>
        )}{" "}
        {sentence(inUnit(event.message, unit))}
      </p>
      <p class="event-kind quiet small">
        {kindLabel(kind)}
        {box !== null && box !== "main" && ` · ${box}`}
      </p>
    </li>
  );
}
