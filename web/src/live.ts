// The picture: the latest status of the box, kept up to date by the daemon's event stream, or by asking every 5 s where there is none.
// The picture knows when it was taken, by this device's clock; the box's clock may be wrong.

import { ApiError, request } from "./api";
import { chosenBox } from "./preferences";
import { may, session } from "./session";
import { createStore, useStore } from "./store";
import type { Status } from "./types";

const POLL_MS = 5_000;
/** The stream says something at least every 10 s. */
const SILENCE_MAX_MS = 15_000;
/** The browser connects again within a second; only what lasts longer is worth a word. */
const HICCUP_MS = 3_000;
/** With polling at work, how often the stream is tried again. */
const STREAM_RETRY_MS = 60_000;
/** Older than this the picture is shown as old. */
export const STALE_AFTER_MS = 20_000;
/** The kept picture is for the next start without a network: it need not be written with each reading. */
const KEEP_EVERY_MS = 10_000;
const KEPT_AS = "picture";

export interface Picture {
  status: Status;
  /** By this device's clock, in milliseconds. */
  takenAt: number;
  /** True: from the last visit, nothing has come since. */
  fromBefore: boolean;
}

export interface Live {
  picture: Picture | null;
  /** Whether the box answers; locked: it does, and wants a login first. */
  connection: "connecting" | "live" | "lost" | "locked";
}

export const live = createStore<Live>({ picture: kept(), connection: "connecting" });

let stream: EventSource | null = null;
let pollTimer: ReturnType<typeof setTimeout> | undefined;
let retryTimer: ReturnType<typeof setTimeout> | undefined;
let silenceTimer: ReturnType<typeof setTimeout> | undefined;
let lostTimer: ReturnType<typeof setTimeout> | undefined;
let keptAt = 0;
let isStarted = false;

/** Follows the box while the page is looked at. */
export function follow(): void {
  if (isStarted) return;
  isStarted = true;
  // A page that nobody sees holds no connection; one that is seen again asks at once.
  document.addEventListener("visibilitychange", () => (document.hidden ? disconnect() : connect()));
  addEventListener("online", connect);
  addEventListener("offline", () => mark("lost"));
  chosenBox.subscribe(connect);
  let mayRead = true;
  session.subscribe((who) => {
    if (may(who, "read") === mayRead) return;
    mayRead = !mayRead;
    connect();
  });
  connect();
}

/** Asks at once, as after a command. */
export async function refresh(): Promise<void> {
  try {
    take(await request<Status>(`/api/status${boxQuery()}`));
  } catch (problem) {
    // Not logged in is an answer: the box is there.
    if (!(problem instanceof ApiError) || problem.status === 0) mark("lost");
    else if (problem.status === 401) mark("locked");
  }
}

export function useLive(): Live {
  return useStore(live);
}

/** "?box=NAME" for the chosen box, or nothing. */
export function boxQuery(): string {
  const name = chosenBox.get();
  return name === "" ? "" : `?box=${encodeURIComponent(name)}`;
}

function connect(): void {
  disconnect();
  if (document.hidden) return;
  if (!may(session.get(), "read")) return mark("locked");
  // Sooner than the stream where a proxy holds it back.
  void refresh();
  listen();
}

function disconnect(): void {
  stream?.close();
  stream = null;
  clearTimeout(pollTimer);
  clearTimeout(retryTimer);
  clearTimeout(silenceTimer);
  notLost();
}

function notLost(): void {
  clearTimeout(lostTimer);
  lostTimer = undefined;
}

function listen(): void {
  const opened = new EventSource(`/api/stream${boxQuery()}`);
  stream = opened;
  const heard = () => {
    clearTimeout(silenceTimer);
    notLost();
    silenceTimer = setTimeout(() => {
      mark("lost");
      connect();
    }, SILENCE_MAX_MS);
  };
  heard();
  opened.onmessage = (message: MessageEvent<string>) => {
    heard();
    try {
      take(JSON.parse(message.data) as Status);
    } catch {
      // Cut in the middle; the next one is whole.
    }
  };
  opened.onerror = () => {
    // Closed for good (refused, or there is no stream): ask instead. Else the browser connects again by itself.
    if (opened.readyState !== EventSource.CLOSED) {
      lostTimer ??= setTimeout(() => mark("lost"), HICCUP_MS);
      return;
    }
    clearTimeout(silenceTimer);
    void poll(opened);
    retryTimer = setTimeout(connect, STREAM_RETRY_MS);
  };
}

/** Asks again and again, until another stream is tried or nobody looks. */
async function poll(instead: EventSource): Promise<void> {
  await refresh();
  if (stream === instead) pollTimer = setTimeout(() => void poll(instead), POLL_MS);
}

function take(status: Status): void {
  const takenAt = Date.now();
  live.set({ picture: { status, takenAt, fromBefore: false }, connection: "live" });
  if (takenAt - keptAt < KEEP_EVERY_MS) return;
  keptAt = takenAt;
  try {
    localStorage.setItem(KEPT_AS, JSON.stringify({ status, takenAt }));
  } catch {
    // Forbidden or full: the next start without a network shows no picture.
  }
}

function mark(connection: Live["connection"]): void {
  if (live.get().connection !== connection) live.set({ ...live.get(), connection });
}

function kept(): Picture | null {
  try {
    const found = JSON.parse(localStorage.getItem(KEPT_AS) ?? "null") as { status: Status; takenAt: number } | null;
    return found === null ? null : { ...found, fromBefore: true };
  } catch {
    return null;
  }
}

/** Forgets the kept picture, as after a logout. */
export function forgetPicture(): void {
  try {
    localStorage.removeItem(KEPT_AS);
  } catch {
    // Nothing was kept.
  }
  live.set({ picture: null, connection: "connecting" });
}
