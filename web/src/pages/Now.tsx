// The state of the box at a glance: is it dry, is it safe, what is it doing and why.

import { ago, span } from "../ages";
import { readingAge, useNow } from "../clock";
import { Banner } from "../components/banner";
import { Button, Link } from "../components/button";
import { Display } from "../components/display";
import { OutputCard } from "../components/output";
import { Faults, SafetyLine } from "../components/safety";
import { Sparkline, useLastHour } from "../components/sparkline";
import { STALE_AFTER_MS, refresh, useLive } from "../live";
import type { Picture } from "../live";
import { temperatureUnit } from "../preferences";
import { useStore } from "../store";
import { absoluteHumidity, decimal, percent, temperature, temperatureNumber } from "../units";
import { ROOM_C, humidityAt, spoken, verdict } from "../verdict";

const SPARK_FIELDS = ["humidity", "temperature_c"] as const;

export function Now() {
  const { picture, connection } = useLive();
  const now = useNow();
  if (picture === null) {
    return (
      <>
        <h1 class="unseen">Now</h1>
        {connection === "lost" ? <NoAnswer /> : <p class="quiet">Asking the box…</p>}
        <Display />
      </>
    );
  }
  const isStale = connection !== "live" && (picture.fromBefore || now - picture.takenAt > STALE_AFTER_MS);
  return (
    <>
      <h1 class="unseen">Now</h1>
      {isStale && <Stale picture={picture} now={now} />}
      <Faults status={picture.status} />
      <div class={`now ${isStale ? "stale" : ""}`}>
        <Air picture={picture} now={now} isStale={isStale} />
        <OutputCard name="heater" picture={picture} now={now} isStale={isStale} />
        <OutputCard name="fan" picture={picture} now={now} isStale={isStale} />
        <Notes picture={picture} />
      </div>
      <Display version={picture.status.version} uptime={span(picture.status.uptime)} />
    </>
  );
}

function NoAnswer() {
  return (
    <Banner kind="warning" role="alert" title="The box does not answer.">
      <p>Is it on, and is this device in its network? It goes on by itself once there is an answer.</p>
      <div class="row">
        <Button onClick={() => void refresh()}>Try again</Button>
      </div>
    </Banner>
  );
}

function Stale({ picture, now }: { picture: Picture; now: number }) {
  return (
    <Banner kind="warning" title={`This picture is ${span((now - picture.takenAt) / 1000)} old.`}>
      <p>The box does not answer; how it is now is not known. It measures and controls also without this page.</p>
    </Banner>
  );
}

function Air({ picture, now, isStale }: { picture: Picture; now: number; isStale: boolean }) {
  const unit = useStore(temperatureUnit);
  const lines = useLastHour(SPARK_FIELDS);
  const { sensor } = picture.status;
  const age = readingAge(picture, now);
  const is = verdict(picture.status, age, unit);
  return (
    <section class={`card air ${is.tone}`} aria-label="The air in the box">
      <div class="verdict">
        <div class="verdict-head">
          <h2>{isStale ? `Last seen: ${is.headline.toLowerCase()}` : is.headline}</h2>
          <span class="freshness number">{age === null ? "" : `read ${ago(age)}`}</span>
        </div>
        <p>{is.detail}</p>
      </div>
      <p class="unseen" role="status">
        {spoken(picture.status, is.headline)}
      </p>
      <div class="readings">
        <figure>
          <figcaption>Humidity</figcaption>
          <p class="huge number">
            {decimal(sensor.humidity, 1)}
            <small> %</small>
          </p>
          <Sparkline values={lines["humidity"]} smallest={2} />
        </figure>
        <figure>
          <figcaption>Temperature</figcaption>
          <p class="huge number">
            {temperatureNumber(sensor.temperature_c, unit)}
            <small> °{unit}</small>
          </p>
          <Sparkline values={lines["temperature_c"]} smallest={1} />
        </figure>
      </div>
      <dl class="derived number">
        <div>
          <dt>Water in the air</dt>
          <dd>{absoluteHumidity(sensor.absolute_humidity)}</dd>
        </div>
        <div>
          <dt>Dew point</dt>
          <dd>{temperature(sensor.dew_point_c, unit)}</dd>
        </div>
        <div>
          <dt>Cooled to {temperature(ROOM_C, unit, 0)}</dt>
          <dd>{percent(humidityAt(sensor, ROOM_C), 0)}</dd>
        </div>
      </dl>
      <details class="small">
        <summary>Why three humidities?</summary>
        <p>
          Warm air holds more water, so the percentage falls when the box is heated although no water has left it. Grams per cubic metre count the
          water itself, and “cooled to {temperature(ROOM_C, unit, 0)}” is the percentage this air would have in the room. When those two fall, the
          box is really drying.
        </p>
      </details>
      {!isStale && <SafetyLine status={picture.status} />}
    </section>
  );
}

/** What is not urgent and yet should be seen to. */
function Notes({ picture }: { picture: Picture }) {
  const { database, journal, settings, controls } = picture.status;
  const notes = [];
  if (journal.disk_error !== null) notes.push(<>The history cannot be written: {journal.disk_error}. Control goes on.</>);
  for (const sink of database.sinks.filter((each) => each.connected === false)) {
    notes.push(
      <>
        {sink.type} does not take the samples; {sink.backlog_points} wait. <Link to="/outbox">Outbox</Link>
      </>,
    );
  }
  for (const problem of settings.problems) notes.push(<>A setting was not taken: {problem}</>);
  if (settings.restart_needed.length > 0) notes.push(<>Waits for a restart: {settings.restart_needed.join(", ")}</>);
  if (!controls.heater.enabled && !controls.fan.enabled) {
    notes.push(
      <>
        Neither heater nor fan is set up: the box only measures. <Link to="/settings">Settings</Link>
      </>,
    );
  }
  if (notes.length === 0) return null;
  return (
    <section class="card notes" aria-label="Notes">
      <ul>
        {notes.map((note, index) => (
          <li key={index}>{note}</li>
        ))}
      </ul>
    </section>
  );
}
