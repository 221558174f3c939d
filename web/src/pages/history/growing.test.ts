import assert from "node:assert/strict";
import { test } from "node:test";
import type { History, Status } from "../../types";
import { grown, livePoint } from "./growing";
import type { LivePoint } from "./growing";

function history(timestamps: number[], resolution: number, to: number): History {
  const ones = timestamps.map(() => 20);
  const shares = timestamps.map(() => 0);
  return { box: "main", from: 0, to, resolution, timestamps, fields: { temperature_c: { mean: ones, min: ones, max: ones }, heater_on: { mean: shares } } };
}

function point(at: number, temperature: number | null = 30, heater = 1): LivePoint {
  return { at, values: { temperature_c: temperature, heater_on: heater } };
}

test("a raw history grows by the sample, each sample once", () => {
  const before = history([0, 5, 10], 0, 12);
  const after = grown(before, point(15));
  assert.deepEqual(after.timestamps, [0, 5, 10, 15]);
  assert.deepEqual(after.fields["temperature_c"], { mean: [20, 20, 20, 30], min: [20, 20, 20, 30], max: [20, 20, 20, 30] });
  assert.deepEqual(after.fields["heater_on"], { mean: [0, 0, 0, 1] });
  assert.equal(after.to, 15);
  assert.deepEqual(before.timestamps, [0, 5, 10]);
  assert.equal(grown(after, point(15)), after);
  assert.equal(grown(after, point(9)), after);
});

test("silence is a gap, one missed reading is not", () => {
  assert.deepEqual(grown(history([0, 5, 10], 0, 12), point(25)).timestamps, [0, 5, 10, 25]);
  const after = grown(history([0, 5, 10], 0, 12), point(100));
  assert.deepEqual(after.timestamps, [0, 5, 10, 55, 100]);
  assert.deepEqual(after.fields["temperature_c"]?.mean, [20, 20, 20, null, 30]);
  assert.deepEqual(grown(history([0, 600, 1200], 0, 1300), point(2000)).timestamps, [0, 600, 1200, 2000]);
});

test("an empty history begins with the first reading", () => {
  assert.deepEqual(grown(history([], 0, 100), point(105)).timestamps, [105]);
  assert.deepEqual(grown(history([], 60, 100), point(105)).timestamps, [105]);
});

test("a point within the last row changes that row by its share of the time", () => {
  const after = grown(history([0, 60], 60, 90), point(120 - 0.001 - 14.999, 26));
  assert.deepEqual(after.timestamps, [0, 60]);
  const { mean, min, max } = after.fields["temperature_c"] as { mean: number[]; min: number[]; max: number[] };
  assert.ok(Math.abs((mean[1] as number) - (20 * 30 + 26 * 15) / 45) < 1e-9);
  assert.deepEqual([min[1], max[1]], [20, 26]);
  assert.equal(grown(after, point(100)), after);
});

test("a point after the last row begins the next, on the rows' own raster", () => {
  const after = grown(history([0, 60], 60, 119), point(130));
  assert.deepEqual(after.timestamps, [0, 60, 120]);
  assert.deepEqual(after.fields["temperature_c"]?.max, [20, 20, 30]);
  const late = grown(history([0, 60], 60, 119), point(500));
  assert.deepEqual(late.timestamps, [0, 60, 120, 480]);
  assert.deepEqual(late.fields["temperature_c"]?.mean, [20, 20, null, 30]);
});

test("a status is a point only with a reading", () => {
  const sensor = { temperature_c: 21, humidity: 12, timestamp: 7, absolute_humidity: 2, dew_point_c: -8, pressure: null };
  const controls = { heater: { on: true }, fan: { on: false } };
  const status = { sensor, controls } as unknown as Status;
  assert.deepEqual(livePoint(status), {
    at: 7,
    values: { temperature_c: 21, humidity: 12, absolute_humidity: 2, dew_point_c: -8, pressure: null, heater_on: 1, fan_on: 0 },
  });
  assert.equal(livePoint({ ...status, sensor: { ...sensor, temperature_c: null } } as unknown as Status), null);
  assert.equal(livePoint({ ...status, sensor: { ...sensor, timestamp: null } } as unknown as Status), null);
});
