// What somebody who helps will ask for: version, uptime, threads, and what the settings wait for.

import { useEffect, useState } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { ago, moment, span } from "../ages";
import { problemText, request } from "../api";
import { Banner } from "../components/banner";
import { boxTime, useNow } from "../clock";
import { useLive } from "../live";
import type { Thread } from "../types";
import { bytes } from "../units";

export function Diagnostics() {
  const { picture } = useLive();
  const now = useNow();
  const threads = useThreads();
  if (picture === null) return <p class="quiet">Nothing is known of the box yet.</p>;
  const { status } = picture;
  const time = boxTime(picture, now);
  return (
    <>
      {status.settings.problems.length > 0 && (
        <Banner kind="warning" title="Settings that were not taken; the last good ones hold:">
          <ul>
            {status.settings.problems.map((problem) => (
              <li key={problem}>{problem}</li>
            ))}
          </ul>
        </Banner>
      )}
      <dl class="diagnostics card">
        <Fact name="Version">{status.version}</Fact>
        <Fact name="Running for">{span(status.uptime + (now - picture.takenAt) / 1000)}</Fact>
        <Fact name="The box's clock">{moment(time, time)}</Fact>
        <Fact name="Sensor">{status.sensor_type ?? status.sensor.error ?? "answers"}</Fact>
        <Fact name="Journal">
          {status.journal.samples} samples, {bytes(status.journal.file_bytes)} on disk{status.journal.disk_error ? `; ${status.journal.disk_error}` : ""}
        </Fact>
        <Fact name="Waits for a restart">{status.settings.restart_needed.length > 0 ? status.settings.restart_needed.join(", ") : "nothing"}</Fact>
      </dl>
      <section class="card" aria-label="Threads">
        <h2>Threads</h2>
        {typeof threads === "string" ? <p class="problem">{threads}</p> : <Threads threads={threads} time={time} />}
      </section>
      <p class="quiet small">
        In a terminal on the box, <code>filamentbox doctor</code> looks at everything that decides safety and working. For programs: <a href="/api/openapi.json">the API</a>, <a href="/metrics">metrics</a>.
      </p>
    </>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

const ASK_EVERY_MS = 10_000;

/** The threads, null while they are asked for, or why they are not known. */
function useThreads(): Record<string, Thread> | null | string {
  const [threads, setThreads] = useState<Record<string, Thread> | null | string>(null);
  useEffect(() => {
    const ask = () => request<Record<string, Thread>>("/api/threads").then(setThreads, (problem: unknown) => setThreads(problemText(problem)));
    void ask();
    const timer = setInterval(() => void ask(), ASK_EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  return threads;
}

function Threads({ threads, time }: { threads: Record<string, Thread> | null; time: number }) {
  if (threads === null) return <p class="quiet">Asking…</p>;
  return (
    <div class="scrolls" tabIndex={0} role="region" aria-label="Threads, a table">
      <table>
        <thead>
          <tr>
            <th scope="col">Thread</th>
            <th scope="col">State</th>
            <th scope="col">Restarts</th>
            <th scope="col">Last progress</th>
          </tr>
        </thead>
        <tbody>
          {Object.entries(threads).map(([name, thread]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td class={thread.running ? "" : "problem"}>{thread.running ? "runs" : "stopped"}</td>
              <td class="number">{thread.restarts}</td>
              <td>{thread.last_progress === null ? "–" : ago(time - thread.last_progress)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
