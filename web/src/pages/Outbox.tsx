// The page Outbox: how each backend is, what waits for it, and what it refuses.

import { useState } from "preact/hooks";
import { moment } from "../ages";
import { problemText, request, sentence } from "../api";
import { boxTime, useNow } from "../clock";
import { Banner } from "../components/banner";
import { Button, Link } from "../components/button";
import { Icon } from "../components/icons";
import { useLive } from "../live";
import { ROUTES } from "../router";
import { may, useSession } from "../session";
import type { Backend } from "../types";
import { Letters } from "./outbox/Letters";
import { PARTS, advice, backendName, count, health, missing, since } from "./outbox/backends";

export default function Outbox() {
  const { picture } = useLive();
  const ticking = useNow();
  if (picture === null) {
    return (
      <>
        <h1>Outbox</h1>
        <p class="quiet">Loading…</p>
      </>
    );
  }
  const now = boxTime(picture, ticking);
  const { sinks } = picture.status.database;
  const { disk_error: diskError } = picture.status.journal;
  return (
    <>
      <h1>Outbox</h1>
      {diskError !== null && (
        <Banner kind="danger" role="alert" title="The journal cannot write to its disk.">
          <p>{sentence(diskError)}</p>
        </Banner>
      )}
      {sinks.length === 0 ? <None /> : sinks.map((backend) => <BackendCard key={backend.type} backend={backend} now={now} />)}
      {sinks.length > 0 && (
        <>
          <Test />
          <Letters count={sinks.reduce((sum, { totals }) => sum + totals.dead_letter, 0)} now={now} />
        </>
      )}
    </>
  );
}

function None() {
  return (
    <section class="card" aria-labelledby="none">
      <h2 id="none">No database is set up</h2>
      <p>
        The box keeps its history itself, and shows it under <Link to={ROUTES.history.path}>History</Link>. Set up a database where you want the measurements elsewhere too, for
        example in Grafana: InfluxDB, TimescaleDB, VictoriaMetrics or Prometheus.
      </p>
      <p>
        <Link to={ROUTES.settings.path}>Set up a database in Settings</Link>
      </p>
    </section>
  );
}

function BackendCard({ backend, now }: { backend: Backend; now: number }) {
  const { type, last_error: error, consecutive_failures: failures, backlog_points: backlog, unconfirmed_points: unconfirmed } = backend;
  const { icon, word } = health(backend, now);
  const id = `backend-${type}`;
  return (
    <section class="card backend" aria-labelledby={id}>
      <div class="backend-head">
        <h2 id={id}>{backendName(type)}</h2>
        <strong class={`health ${icon}`}>
          <Icon name={icon} /> {word}
        </strong>
      </div>
      <dl class="facts number">
        <Fact name="Waiting to be sent" value={`${count(backlog)} ${backlog === 1 ? "point" : "points"}`} more={unconfirmed > 0 ? `and ${count(unconfirmed)} sent, not confirmed` : undefined} />
        <Fact name="Oldest of them" value={backend.oldest_unsent === null ? "–" : since(backend.oldest_unsent, now)} />
        <Fact name="Last write" value={since(backend.last_write_time, now)} more={backend.last_write_time === null ? undefined : moment(backend.last_write_time, now)} />
        <Fact name="Failures in a row" value={count(failures)} />
      </dl>
      {error !== null && (
        <Banner kind={icon === "danger" ? "danger" : "warning"} title={failures > 0 ? "Last error" : "Last error, over now"}>
          <p class="words">{sentence(error)}</p>
          <p>
            {advice(error)} <Link to={ROUTES.settings.path}>Settings</Link>
          </p>
          {failures > 0 && <p class="small">The points wait in the box and are sent when the server takes them.</p>}
        </Banner>
      )}
      <Books totals={backend.totals} />
    </section>
  );
}

function Fact({ name, value, more }: { name: string; value: string; more?: string | undefined }) {
  return (
    <div>
      <dt class="quiet small">{name}</dt>
      <dd>
        {value} {more !== undefined && <span class="quiet small">{more}</span>}
      </dd>
    </div>
  );
}

/** Every point that was ever taken is in one of the parts. */
function Books({ totals }: { totals: Backend["totals"] }) {
  const gap = missing(totals);
  return (
    <details class="books">
      <summary>
        {count(totals.sampled)} points taken:{" "}
        {gap === 0 ? (
          <span class="health good">
            <Icon name="good" /> all accounted for
          </span>
        ) : (
          <span class="health danger">
            <Icon name="danger" /> {count(Math.abs(gap))} {gap > 0 ? "missing" : "too many"}
          </span>
        )}
      </summary>
      <table class="number">
        <tbody>
          {PARTS.map(([part, name, meaning], index) => (
            <tr key={part}>
              <th scope="row">
                {index === 0 ? "" : "+ "}
                {name} <span class="quiet small">{meaning}</span>
              </th>
              <td>{count(totals[part])}</td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row">= Sampled</th>
            <td>{count(totals.sampled)}</td>
          </tr>
        </tfoot>
      </table>
      {gap !== 0 && <p class="small">The sum is off by {count(Math.abs(gap))}. If it stays so, please report it with the output of: filamentbox outbox --json</p>}
    </details>
  );
}

interface Result {
  type: string;
  ok: boolean;
  line: string;
}

function Test() {
  const who = useSession();
  const [isBusy, setBusy] = useState(false);
  const [results, setResults] = useState<Result[] | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const test = async () => {
    setBusy(true);
    setProblem(null);
    try {
      setResults((await request<{ results: Result[] }>("/api/database/test", { method: "POST", body: {} })).results);
    } catch (refused) {
      setResults(null);
      setProblem(problemText(refused));
    }
    setBusy(false);
  };
  return (
    <section class="card" aria-labelledby="test">
      <h2 id="test">Connection test</h2>
      <p>Asks each server whether it is there and takes points from this box. Nothing is written.</p>
      <div>
        <Button isBusy={isBusy} isDisabled={!may(who, "configure")} onClick={() => void test()}>
          {isBusy ? "Testing…" : "Test the connection"}
        </Button>
      </div>
      {!may(who, "configure") && <p class="quiet small">Log in to test.</p>}
      <div role="status" class="results">
        {results?.map(({ type, ok, line }) => (
          <p key={type}>
            <strong class={`health ${ok ? "good" : "danger"}`}>
              <Icon name={ok ? "good" : "danger"} /> {ok ? "Works" : "Does not work"}
            </strong>{" "}
            <span class="words">{line}</span>
          </p>
        ))}
        {problem !== null && <p class="problem">{problem}</p>}
      </div>
    </section>
  );
}
