import assert from "node:assert/strict";
import { test } from "node:test";

import { type Band, coverage, decide, isBand, judge, percent, reached, simulate } from "./preview";

const heater: Band = { low: 20, high: 22, acts: "below", unit: "°C" };
const fan: Band = { low: 10, high: 15, acts: "above", unit: "%" };

function check(band: Band, values: (number | null)[], expected: string): void {
  const times = values.map((_, at) => 1000 + at * 60);
  const { on } = simulate(band, times, values, false);
  assert.equal(on.map((state) => (state === null ? "-" : state ? "1" : "0")).join(""), expected);
}

// The same tables as the daemon's own controllers are tested with (crates/core/src/control/hysteresis.rs).
test("the heater acts outside the band and keeps its state within", () => {
  check(heater, [21, 20, 19.99, 20, 22, 22.01, 22, 20, 19], "001110001");
});

test("the fan acts outside the band and keeps its state within", () => {
  check(fan, [12, 15, 15.01, 15, 10, 9.99, 10, 15, 16], "001110001");
});

test("a gap is neither on nor off, and the state goes on behind it", () => {
  check(heater, [19, null, 21, 23, null, 21], "1-10-0");
});

test("the share is of the time that readings cover", () => {
  const { share, starts, covered } = simulate(heater, [0, 60, 120, 180], [19, 21, 23, 21], false);
  assert.deepEqual([share, starts, covered], [0.5, 1, 240]);
  assert.equal(simulate(heater, [0, 60], [null, null], true).share, null);
  assert.equal(simulate(heater, [], [], true).share, null);
});

test("a long gap between two points does not count as time", () => {
  // An hour without a point after the second: it holds for three usual distances only.
  const { covered } = simulate(heater, [0, 60, 3660, 3720, 3780], [19, 19, 19, 19, 19], false);
  assert.equal(covered, 60 + 180 + 60 + 60 + 60);
});

test("a decision has its reason", () => {
  assert.deepEqual(decide(heater, false, 17.531), { on: true, reason: "17.53 °C is below 20 °C" });
  assert.deepEqual(decide(fan, false, 18), { on: true, reason: "18.00 % is above 15 %" });
  assert.equal(decide(heater, true, 21).on, true);
  assert.match(decide(heater, true, 21).reason, /stays as it is/);
});

test("only a band can be tried", () => {
  assert.ok(isBand(20, 22));
  for (const [low, high] of [[22, 22], [23, 22], [NaN, 22], [20, Infinity]] as const) assert.ok(!isBand(low, high));
});

test("limits on both sides", () => {
  const limits = { cutOff: 70, maxAge: 15, slew: 1 };
  assert.equal(judge(limits, 60, 9.9).isHeatAllowed, true);
  assert.equal(judge(limits, 60, 10).isHeatAllowed, false, "projected it is at the cut-off");
  assert.equal(judge(limits, 20, 15).isHeatAllowed, true);
  assert.match(judge(limits, 20, 15.1).reason, /allowed are 15 s/);
  assert.match(judge(limits, null, null).reason, /no reading/);
});

test("how often a limit was reached", () => {
  assert.deepEqual(reached(50, [40, 50, 51, null, 52, 49.9, 50]), { times: 2, highest: 52 });
  assert.deepEqual(reached(50, [null]), { times: 0, highest: null });
});

test("words", () => {
  assert.deepEqual([0, 0.001, 0.345, 0.999, 1].map(percent), ["0\u00a0%", "under 1\u00a0%", "35\u00a0%", "over 99\u00a0%", "100\u00a0%"]);
  assert.deepEqual([2400, 84_000, 86_500].map(coverage), ["40 min", "24 h", "24 h"]);
});
