// The list of events: joined from pages and live looks, filtered, and cut into days. No drawing here.

import type { LoggedEvent } from "../../types";

/** The kinds of the daemon, in the order in which people look for them. */
export const KINDS: readonly (readonly [kind: string, label: string])[] = [
  ["output", "Heater and fan"],
  ["override", "By hand"],
  ["safety", "Safety"],
  ["sensor", "Sensor"],
  ["backend", "Databases"],
  ["settings", "Settings"],
  ["access", "Access"],
  ["daemon", "Program"],
];

export function kindLabel(kind: string): string {
  return KINDS.find(([name]) => name === kind)?.[1] ?? kind;
}

export type Level = "all" | "warning" | "error";

export interface Filter {
  /** Empty: every kind. */
  readonly kind: string;
  readonly level: Level;
  readonly text: string;
}

export const NO_FILTER: Filter = { kind: "", level: "all", text: "" };

/** Both lists in one, each event once, newest first. */
export function joined(one: readonly LoggedEvent[], other: readonly LoggedEvent[]): LoggedEvent[] {
  const all = new Map([...one, ...other].map((event) => [event.id, event]));
  return [...all.values()].sort((a, b) => b.id - a.id);
}

export function matches(event: LoggedEvent, filter: Filter): boolean {
  if (filter.kind !== "" && event.kind !== filter.kind) return false;
  if (filter.level === "error" && event.severity !== "error") return false;
  if (filter.level === "warning" && event.severity === "info") return false;
  const words = filter.text.toLowerCase().split(/\s+/).filter((word) => word !== "");
  // Not the kind, which is "Heater and fan" for both.
  const all = `${event.message} ${event.box ?? ""}`.toLowerCase();
  return words.every((word) => all.includes(word));
}

export interface Day {
  readonly title: string;
  readonly events: readonly LoggedEvent[];
}

/** Under the heading of its day; `now` in Unix seconds, `locale` and `timeZone` of this device where they are left out. */
export function days(events: readonly LoggedEvent[], now: number, locale?: string, timeZone?: string): Day[] {
  const zone = timeZone === undefined ? {} : { timeZone };
  const date = new Intl.DateTimeFormat(locale, { weekday: "long", day: "numeric", month: "long", year: "numeric", ...zone });
  const today = date.format(now * 1000);
  const yesterday = date.format((now - 86_400) * 1000);
  const titleOf = (at: number | null) => {
    if (at === null) return "Before the time of day was known";
    const title = date.format(at * 1000);
    return title === today ? `Today, ${title}` : title === yesterday ? `Yesterday, ${title}` : title;
  };
  const found: { title: string; events: LoggedEvent[] }[] = [];
  for (const event of events) {
    const title = titleOf(event.timestamp);
    const last = found.at(-1);
    if (last?.title === title) last.events.push(event);
    else found.push({ title, events: [event] });
  }
  return found;
}
