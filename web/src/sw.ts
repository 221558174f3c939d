// The service worker: keeps the page's own files, so that it opens with the network cut. It never keeps an answer of /api: how the box was is
// kept by the page, which says how old it is.

// What a service worker has, where TypeScript knows only of pages.
interface Extendable extends Event {
  waitUntil(done: Promise<unknown>): void;
}
interface Fetching extends Extendable {
  request: Request;
  respondWith(answer: Promise<Response>): void;
}
interface Worker {
  addEventListener(type: "install" | "activate", told: (event: Extendable) => void): void;
  addEventListener(type: "fetch", told: (event: Fetching) => void): void;
  skipWaiting(): Promise<void>;
  clients: { claim(): Promise<void> };
}

declare const SHELL_VERSION: string;
declare const SHELL_ASSETS: string[];

const worker = self as unknown as Worker;
const PREFIX = "filamentbox-";
const CACHE = PREFIX + SHELL_VERSION;
const PUBLIC = ["/manifest.webmanifest", "/icon.svg", "/icon-192.png"];
/** After so long the kept page is shown rather than waiting on. */
const PATIENCE_MS = 3_000;

worker.addEventListener("install", (event) => {
  event.waitUntil(
    caches
      .open(CACHE)
      .then((cache) => cache.addAll(["/", ...SHELL_ASSETS, ...PUBLIC]))
      .then(() => worker.skipWaiting()),
  );
});

worker.addEventListener("activate", (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter((name) => name.startsWith(PREFIX) && name !== CACHE).map((name) => caches.delete(name))))
      .then(() => worker.clients.claim()),
  );
});

worker.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== location.origin) return;
  if (request.mode === "navigate") {
    // Answers of the daemon that are no page (an export, /metrics) pass untouched.
    if (/^\/(api\/|metrics$|healthz$)/.test(pathname)) return;
    event.respondWith(newestPage(request));
  } else if (pathname.startsWith("/assets/") || PUBLIC.includes(pathname)) {
    event.respondWith(caches.match(request).then((kept) => kept ?? fetch(request)));
  }
});

/** The daemon's page, or the kept one where it does not answer. */
async function newestPage(request: Request): Promise<Response> {
  const ended = new AbortController();
  const timer = setTimeout(() => ended.abort(), PATIENCE_MS);
  try {
    const answer = await fetch(request.url, { signal: ended.signal, credentials: "same-origin", cache: "no-cache" });
    if (answer.ok) return answer;
    return (await caches.match("/")) ?? answer;
  } catch {
    return (await caches.match("/")) ?? Response.error();
  } finally {
    clearTimeout(timer);
  }
}

export {};
