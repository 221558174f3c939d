// The addresses of the page, and the way between them. Pages that do not exist show Now.

import { createStore, useStore } from "./store";

/** A page: its address, and what it is called. */
export interface Route {
  readonly path: string;
  readonly title: string;
}

/** Every page; those of the navigation in its order. */
export const ROUTES = {
  now: { path: "/", title: "Now" },
  history: { path: "/history", title: "History" },
  events: { path: "/events", title: "Events" },
  outbox: { path: "/outbox", title: "Outbox" },
  settings: { path: "/settings", title: "Settings" },
  setup: { path: "/setup", title: "Setup" },
  login: { path: "/login", title: "Log in" },
  kiosk: { path: "/kiosk", title: "Kiosk" },
} as const satisfies Record<string, Route>;

export type PageName = keyof typeof ROUTES;

/** The page at an address; a slash at its end does not matter. */
export function pageAt(path: string): PageName {
  const plain = path.length > 1 ? path.replace(/\/+$/, "") : path;
  const found = (Object.keys(ROUTES) as PageName[]).find((name) => ROUTES[name].path === plain);
  return found ?? "now";
}

/** Where we are: the path and the query ("?box=main"). */
export interface Place {
  readonly path: string;
  readonly query: string;
}

const isBrowser = typeof location !== "undefined";
const here = (): Place => (isBrowser ? { path: location.pathname, query: location.search } : { path: "/", query: "" });
const place = createStore<Place>(here());

if (isBrowser) addEventListener("popstate", () => place.set(here()));

/** Goes to an address of ours ("/history?box=main"). With `replace`, going back skips where we were. */
export function navigate(to: string, options: { replace?: boolean } = {}): void {
  if (to === location.pathname + location.search) return;
  history[options.replace ? "replaceState" : "pushState"](null, "", to);
  place.set(here());
}

/** The place, kept up to date. */
export function usePlace(): Place {
  return useStore(place);
}

/** Whether a click on a link is ours to follow: not with a key for a new tab, not to elsewhere. */
export function isPlainClick(event: MouseEvent): boolean {
  return event.button === 0 && !event.defaultPrevented && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
}
