// The backends in words: how each is, what to do about its error, and whether its books balance. No drawing here.

import { span } from "../../ages";
import type { Backend } from "../../types";
import { decimal } from "../../units";

const NAMES: Record<string, string> = {
  influxdb_v1: "InfluxDB 1",
  influxdb_v2: "InfluxDB 2",
  influxdb_v3: "InfluxDB 3",
  prometheus: "Prometheus",
  timescaledb: "TimescaleDB",
  victoriametrics: "VictoriaMetrics",
};

export function backendName(type: string): string {
  return NAMES[type] ?? type;
}

export interface Health {
  readonly icon: "good" | "waiting" | "warning" | "danger";
  readonly word: string;
}

/** So many failures in a row are no hiccup. */
const FAILURES_BAD = 3;
/** Points that wait without being late: a batch is sent when a minute is over. */
const LATE_S = 600;

/** `now`: the box's clock in Unix seconds. */
export function health(backend: Backend, now: number): Health {
  const { connected, consecutive_failures: failures, backlog_points: backlog, oldest_unsent: oldest } = backend;
  if (failures >= FAILURES_BAD) return { icon: "danger", word: "Failing" };
  if (failures > 0 || connected === false) return { icon: "warning", word: "Trying again" };
  if (connected === null) return { icon: "waiting", word: "Not tried yet" };
  return backlog > 0 && oldest !== null && now - oldest > LATE_S ? { icon: "waiting", word: "Catching up" } : { icon: "good", word: "Working" };
}

const ADVICE: readonly (readonly [RegExp, string])[] = [
  [/\b(401|403)\b|unauthori[sz]ed|forbidden|password|authentication|permission/i, "Check the name, the password or token, and that it may write."],
  [/\b404\b|does not exist|not found|no such/i, "Check the names of the database, bucket or organisation: the server does not know one of them."],
  [/certificate|\btls\b|\bssl\b/i, "Check the server's certificate, and whether the address must begin with https."],
  [/resolve|dns|name or service|lookup/i, "Check the server's name in the address, and the network's name service."],
  [/refused|unreachable|timed? ?out|connect|no route|reset/i, "Check that the server runs, that its address and port are right, and that no firewall is between."],
  [/\b429\b|too many/i, "The server asks for a pause; nothing is lost meanwhile."],
  [/\b5\d\d\b|unavailable/i, "The server has a problem of its own: look into its log."],
];

/** What to try about an error in the daemon's words. */
export function advice(error: string): string {
  return ADVICE.find(([pattern]) => pattern.test(error))?.[1] ?? "Test the connection below, and look at the settings of this database.";
}

/** The parts of the sum, in the order in which they are shown, with what they mean. */
export const PARTS = [
  ["delivered", "Delivered", "taken by the server"],
  ["waiting", "Waiting", "still to be sent or confirmed"],
  ["dead_letter", "Dead letters", "refused by the server for good"],
  ["superseded", "Superseded", "older than the one value that this server keeps"],
  ["evicted", "Evicted", "given up: too old, too many, or dropped by hand"],
] as const;

/** Sampled less the sum of all parts: 0 when every point is accounted for. */
export function missing(totals: Backend["totals"]): number {
  return totals.sampled - PARTS.reduce((sum, [part]) => sum + totals[part], 0);
}

/** "12 345", with narrow spaces. */
export function count(value: number): string {
  return decimal(value, 0).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** "3 min ago", "never". */
export function since(at: number | null, now: number): string {
  return at === null ? "never" : now - at < 2 ? "just now" : `${span(now - at)} ago`;
}
