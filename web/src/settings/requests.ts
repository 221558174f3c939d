// What the forms ask of the daemon. A refusal of changes says which key it is about.

import { ApiError, request } from "../api";
import { byKey } from "./changes";
import type { Changes, Problems } from "./changes";
import { known } from "./descriptor";
import type { Known, WireConfig } from "./descriptor";

export async function loadSettings(signal?: AbortSignal): Promise<Known> {
  return known(await request<WireConfig>("/api/config", signal ? { signal } : {}));
}

export type Saved = { isSaved: true } | { isSaved: false; problems: Problems };

/** Saves all changes, or none. Throws an ApiError where the daemon could not even judge them. */
export async function saveChanges(changes: Changes): Promise<Saved> {
  try {
    await request("/api/config", { method: "POST", body: { changes } });
    return { isSaved: true };
  } catch (problem) {
    const problems = problem instanceof ApiError ? byKey(listed(problem.body["problems"])) : {};
    if (Object.keys(problems).length === 0) throw problem;
    return { isSaved: false, problems };
  }
}

function listed(problems: unknown): { key: string; error: string }[] {
  if (!Array.isArray(problems)) return [];
  return problems.filter(
    (one): one is { key: string; error: string } => typeof one?.key === "string" && typeof one?.error === "string",
  );
}

export interface Tested {
  type: string;
  ok: boolean;
  line: string;
}

/** The daemon gives a backend 15 s, one after the other at worst. */
const TEST_MAX_MS = 60_000;

/** Asks each chosen backend, with these changes as if they were saved. */
export async function testDatabase(changes: Changes): Promise<Tested[]> {
  const answer = await request<{ results: Tested[] }>("/api/database/test", { method: "POST", body: { changes }, answerMaxMs: TEST_MAX_MS });
  return answer.results;
}

/** The last day as the previews need it. */
export interface Past {
  times: number[];
  temperature: (number | null)[];
  humidity: (number | null)[];
  heaterOn: (number | null)[];
  fanOn: (number | null)[];
}

const DAY_S = 86_400;
/** A point every five minutes: finer than any box warms. */
const POINTS = 288;

export async function loadPast(box: string, signal?: AbortSignal): Promise<Past> {
  const to = Math.ceil(Date.now() / 1000);
  const query = new URLSearchParams({ from: String(to - DAY_S), to: String(to), points: String(POINTS), fields: "temperature_c,humidity,heater_on,fan_on" });
  if (box !== "") query.set("box", box);
  const { timestamps, fields } = await request<{
    timestamps: number[];
    fields: Record<string, { mean: (number | null)[] } | undefined>;
  }>(`/api/history?${query.toString()}`, signal ? { signal } : {});
  const mean = (name: string) => fields[name]?.mean ?? timestamps.map(() => null);
  return { times: timestamps, temperature: mean("temperature_c"), humidity: mean("humidity"), heaterOn: mean("heater_on"), fanOn: mean("fan_on") };
}
