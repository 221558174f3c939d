// The daemon's JSON as it is in docs/openapi.json. Times are Unix seconds; what is not known is null. Fields marked "?" came later than the
// first daemon that serves this page from a cache, so the page does without them.

export interface Sensor {
  temperature_c: number | null;
  temperature_f: number | null;
  /** Relative, in percent. */
  humidity: number | null;
  /** hPa; null where the sensor has none. */
  pressure: number | null;
  dew_point_c: number | null;
  /** g/m³. */
  absolute_humidity: number | null;
  timestamp: number | null;
  /** Seconds since the reading, when the daemon answered. */
  age: number | null;
  /** Why the latest attempt to read gave nothing. */
  error: string | null;
}

export interface Output {
  /** What the line is, as the relay guard reports it. */
  on: boolean;
  /** The manual wish; null: automatic. */
  manual: boolean | null;
  mode: "auto" | "manual";
  reason: string;
  /** When a manual wish ends by itself. */
  until: number | null;
  /** Whether the box has it. */
  enabled: boolean;
}

export type OutputName = "heater" | "fan";

export interface Backend {
  type: string;
  connected: boolean | null;
  backlog_points: number;
  unconfirmed_points: number;
  oldest_unsent: number | null;
  last_write_time: number | null;
  consecutive_failures: number;
  last_error: string | null;
  totals: { sampled: number; delivered: number; waiting: number; dead_letter: number; superseded: number; evicted: number };
}

export interface Limits {
  min_temp_c: number | null;
  max_temp_c: number | null;
  min_humidity: number | null;
  max_humidity: number | null;
  cut_off_c: number | null;
}

export interface Thread {
  running: boolean;
  restarts: number;
  last_progress: number | null;
}

export interface Status {
  box: string;
  boxes?: string[];
  sensor: Sensor;
  sensor_type?: string | null;
  controls: Record<OutputName, Output>;
  database: { sinks: Backend[] };
  safety: { heat_allowed: boolean; reason: string | null; faults: string[] };
  limits?: Limits | null;
  journal: { samples: number; open: number; dropped: number; file_bytes: number; disk_error: string | null; waiting_for_clock: boolean };
  settings: { problems: string[]; restart_needed: string[] };
  threads?: Record<string, Thread>;
  simulated: boolean;
  version: string;
  /** Seconds. */
  uptime: number;
}

export type Right = "read" | "control" | "configure";

export interface Session {
  /** setup: no password yet. login: a password is set, and we are not logged in. in: logged in. open: a simulated box. */
  state: "setup" | "login" | "in" | "open";
  simulated: boolean;
  public_read: boolean;
  rights: Right[];
  confirmed_until: number | null;
  name: string;
  version: string;
}

/** The answer to POST /api/controls/OUTPUT. */
export interface Controlled {
  success: boolean;
  state: boolean | null;
  on: boolean;
  mode: "auto" | "manual";
  reason: string;
  until: number | null;
}

export interface LoggedEvent {
  id: number;
  timestamp: number | null;
  box: string | null;
  kind: string;
  severity: string;
  message: string;
}

/** GET /api/history. Each list has a value for each of `timestamps`; a gap is null. */
export interface History {
  box: string;
  from: number;
  to: number;
  /** Seconds of one point; 0: raw samples. */
  resolution: number;
  timestamps: number[];
  /** Why there is nothing, where it is not that nothing was measured. */
  note?: string | null;
  fields: Record<string, { mean: (number | null)[]; min?: (number | null)[]; max?: (number | null)[] }>;
}
