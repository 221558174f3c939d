import assert from "node:assert/strict";
import { test } from "node:test";
import type { LoggedEvent } from "../../types";
import { NO_FILTER, days, joined, kindLabel, matches } from "./list";

function event(id: number, changes: Partial<LoggedEvent> = {}): LoggedEvent {
  return { id, timestamp: 1_800_000_000 + id, box: "main", kind: "output", severity: "info", message: "heater on: 17.52 °C is below 20 °C", ...changes };
}

test("pages and live events are one list, newest first, each event once", () => {
  assert.deepEqual(joined([event(3), event(2)], [event(4), event(3)]).map(({ id }) => id), [4, 3, 2]);
});

test("filters by kind, by how bad it is, and by words in any order", () => {
  const warning = event(1, { severity: "warning", kind: "sensor", message: "no reading for 15 s" });
  assert.ok(matches(event(1), NO_FILTER));
  assert.ok(matches(warning, { ...NO_FILTER, kind: "sensor" }));
  assert.ok(!matches(event(1), { ...NO_FILTER, kind: "sensor" }));
  assert.ok(matches(warning, { ...NO_FILTER, level: "warning" }));
  assert.ok(!matches(warning, { ...NO_FILTER, level: "error" }));
  assert.ok(!matches(event(1), { ...NO_FILTER, level: "warning" }));
  assert.ok(matches(event(1), { ...NO_FILTER, text: " BELOW heater " }));
  assert.ok(matches(event(1, { box: "left" }), { ...NO_FILTER, text: "left" }));
  assert.ok(!matches(event(1), { ...NO_FILTER, text: "fan on" }));
});

test("days in the device's time zone, today and yesterday by name", () => {
  const now = Date.UTC(2026, 10, 24, 23, 30) / 1000;
  const at = (hours: number) => now - hours * 3600;
  const list = [event(4, { timestamp: at(0) }), event(3, { timestamp: at(1) }), event(2, { timestamp: at(30) }), event(1, { timestamp: null })];
  const titles = days(list, now, "en-GB", "Europe/Berlin").map(({ title, events }) => [title.replace(/,/g, ""), events.length]);
  assert.deepEqual(titles, [
    ["Today Wednesday 25 November 2026", 1],
    ["Yesterday Tuesday 24 November 2026", 1],
    ["Monday 23 November 2026", 1],
    ["Before the time of day was known", 1],
  ]);
});

test("a kind that this page does not know is shown as it is", () => {
  assert.equal(kindLabel("safety"), "Safety");
  assert.equal(kindLabel("brewing"), "brewing");
});
