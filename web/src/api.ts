// Requests to the daemon. A refusal is an ApiError with the daemon's own words, which say what to do.

import { askPassword } from "./components/dialogs";
import { refreshSession } from "./session";

/** The daemon's own limit for an answer is 8 s (a reset that starts the guard anew). */
const ANSWER_MAX_MS = 12_000;

/** A refusal (status and words of the daemon), or no answer at all (status 0). */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly body: Record<string, unknown> = {},
    /** Seconds after which to try again (429). */
    readonly retryAfter: number | null = null,
  ) {
    super(message);
  }
}

export interface RequestOptions {
  method?: "GET" | "POST" | "PUT" | "DELETE";
  /** Sent as JSON. */
  body?: unknown;
  signal?: AbortSignal;
  /** Where an answer takes longer than the usual: after so many milliseconds there is none. */
  answerMaxMs?: number;
  /** False: a refusal that asks for the password is thrown like every other. */
  mayAsk?: boolean;
}

/** Asks the daemon. Where it wants the password typed again, the person is asked for it and the request is repeated.
 * Throws an ApiError. */
export async function request<T>(path: string, options: RequestOptions = {}): Promise<T> {
  try {
    return await once<T>(path, options);
  } catch (problem) {
    const wantsPassword = problem instanceof ApiError && problem.status === 403 && problem.body["confirm"] === true;
    if (!wantsPassword || options.mayAsk === false) throw problem;
    if (!(await askPassword(problem.message))) throw problem;
    return once<T>(path, options);
  }
}

async function once<T>(path: string, options: RequestOptions): Promise<T> {
  const method = options.method ?? "GET";
  const headers: Record<string, string> = { Accept: "application/json" };
  const init: RequestInit = { method, headers, credentials: "same-origin", cache: "no-store" };
  if (method !== "GET") {
    headers["X-FilamentBox"] = "1";
    headers["Content-Type"] = "application/json";
    init.body = JSON.stringify(options.body ?? {});
  }
  const ended = new AbortController();
  const timer = setTimeout(() => ended.abort(), options.answerMaxMs ?? ANSWER_MAX_MS);
  options.signal?.addEventListener("abort", () => ended.abort());
  try {
    const response = await fetch(path, { ...init, signal: ended.signal });
    return await understood<T>(response);
  } catch (problem) {
    if (problem instanceof ApiError || options.signal?.aborted) throw problem;
    throw new ApiError(0, "No answer from the box: is it on, and is this device in its network?");
  } finally {
    clearTimeout(timer);
  }
}

async function understood<T>(response: Response): Promise<T> {
  const text = await response.text();
  let body: unknown = null;
  try {
    body = text === "" ? null : JSON.parse(text);
  } catch {
    // A proxy's page, or nothing of ours.
  }
  if (response.ok && body !== null) return body as T;
  const fields = typeof body === "object" && body !== null ? (body as Record<string, unknown>) : {};
  const words = typeof fields["error"] === "string" ? fields["error"] : `the box answers ${response.status} ${response.statusText}`;
  if (response.status === 401) void refreshSession();
  const wait = Number(response.headers.get("Retry-After"));
  throw new ApiError(response.status, sentence(words), fields, Number.isFinite(wait) && wait > 0 ? wait : null);
}

/** The daemon's refusals begin small, as they follow a colon elsewhere. */
export function sentence(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** What to show of a problem, whatever it is. */
export function problemText(problem: unknown): string {
  return problem instanceof Error ? problem.message : String(problem);
}
