import assert from "node:assert/strict";
import { test } from "node:test";
import { QUANTITIES } from "./quantities";
import type { Quantity } from "./quantities";
import { alone, heightOf, nearest } from "./scale";

const [TEMPERATURE, HUMIDITY] = QUANTITIES as [Quantity, Quantity];

test("noise stays small, a rise fills the height", () => {
  const [low, high] = heightOf(TEMPERATURE, 20.9, 21.1, []);
  assert.ok(high - low >= 2 && low < 20.1 && high > 21.9);
  const [from, to] = heightOf(TEMPERATURE, 20, 70, []);
  assert.ok(from > 10 && from < 20 && to > 70 && to < 80);
});

test("the lines across are in view, and humidity stays between 0 and 100", () => {
  const [low, high] = heightOf(TEMPERATURE, 30, 31, [45, 50]);
  assert.ok(low < 30 && high > 50);
  assert.deepEqual(heightOf(HUMIDITY, 0.5, 1, [])[0], 0);
  assert.deepEqual(heightOf(HUMIDITY, 99, 100, [])[1], 100);
  assert.ok(heightOf(HUMIDITY, 0, 0, [])[1] >= 4);
});

test("a chart of nothing has a height", () => {
  const [low, high] = heightOf(HUMIDITY, null, null, []);
  assert.ok(low === 0 && high >= 4);
});

test("points that stand alone are found", () => {
  assert.deepEqual(alone([1, null, 2, 3, null, 4]), [0, 5]);
  assert.deepEqual(alone([1]), [0]);
  assert.deepEqual(alone([null, null]), []);
});

test("the nearest time", () => {
  assert.equal(nearest([], 5), null);
  assert.deepEqual([-9, 0, 4, 6, 10, 99].map((at) => nearest([0, 10], at)), [0, 0, 0, 1, 1, 1]);
  assert.equal(nearest([0, 10, 20, 30], 24), 2);
});
