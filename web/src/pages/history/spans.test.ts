import assert from "node:assert/strict";
import { test } from "node:test";
import { SPAN_MAX_S, SPAN_MIN_S, anchor, exportAddress, moved, pinched, pointsFor, queryOf, spanOf, viewOf, zoomed } from "./spans";

const NOW = 1_800_000_000;
const DAY = { from: NOW - 86_400, to: NOW };

test("a range ends now, a part of the past stands still", () => {
  assert.deepEqual(spanOf(viewOf("?range=1h"), NOW), { from: NOW - 3600, to: NOW });
  assert.deepEqual(spanOf(viewOf("?range=1h&from=1000&to=2000"), NOW), { from: 1000, to: 2000 });
});

test("an address that makes no sense shows the last day", () => {
  for (const query of ["", "?range=3w", "?from=1&to=0", "?from=x&to=y", "?from=1000&to=1010", "?from=-5&to=5000"]) {
    assert.equal(viewOf(query).range.name, "24h", query);
    assert.equal(viewOf(query).still, null, query);
  }
});

test("the address holds the view and what else was in it", () => {
  const query = queryOf(viewOf("?range=7d&from=1000.7&to=2000.2"), "?box=left&from=1");
  assert.equal(query, "?box=left&from=1000&range=7d&to=2001");
  assert.equal(queryOf(viewOf("?range=7d"), query), "?box=left&range=7d");
});

test("zooming keeps the place under the pointer", () => {
  const past = { from: NOW - 10 * 86_400, to: NOW - 6 * 86_400 };
  const closer = zoomed(past, 0.5, 0.25, NOW);
  assert.equal(closer.to - closer.from, 2 * 86_400);
  assert.equal(closer.from + 0.25 * (closer.to - closer.from), past.from + 86_400);
});

test("zooming by buttons goes to the newest while it is in view", () => {
  assert.equal(anchor(DAY, NOW), 1);
  assert.equal(anchor(DAY, NOW + 8_639), 1);
  assert.equal(anchor(DAY, NOW + 8_640), 0.5);
});

test("nothing is shorter than a minute, longer than the journal or in the future", () => {
  assert.equal(length(zoomed(DAY, 0, 0.5, NOW)), SPAN_MIN_S);
  assert.equal(length(zoomed(DAY, 1e9, 0.5, NOW)), SPAN_MAX_S);
  assert.equal(zoomed(DAY, 2, 0.5, NOW).to, NOW);
  assert.deepEqual(moved(DAY, 1, NOW), DAY);
  assert.deepEqual(moved(DAY, -0.5, NOW), { from: DAY.from - 43_200, to: DAY.to - 43_200 });
});

test("what is under two fingers stays under them", () => {
  const past = { from: 1_000_000, to: 1_001_000 };
  const closer = pinched(past, [0.4, 0.6], [0.3, 0.7], NOW);
  assert.equal(Math.round(closer.from + 0.3 * length(closer)), 1_000_400);
  assert.equal(Math.round(closer.from + 0.7 * length(closer)), 1_000_600);
  assert.equal(length(pinched(past, [0.5, 0.5], [0.5, 0.5], NOW)), 1000);
});

test("the export is of the shown span and box", () => {
  assert.equal(exportAddress({ from: 10.5, to: 20.5 }, "", "csv"), "/api/history/export?from=10&to=21&format=csv");
  assert.equal(exportAddress({ from: 10, to: 20 }, "a b", "jsonl"), "/api/history/export?from=10&to=20&format=jsonl&box=a+b");
});

test("a point a pixel, within what the daemon gives", () => {
  assert.equal(pointsFor(20), 100);
  assert.equal(pointsFor(358.4), 358);
  assert.equal(pointsFor(5000), 2000);
});

function length(span: { from: number; to: number }): number {
  return span.to - span.from;
}
