import assert from "node:assert/strict";
import { test } from "node:test";
import { lengthsOf, pieces } from "./strips";

test("equal neighbours are one piece, what is not known is none", () => {
  assert.deepEqual(pieces([0, 60, 120, 180, 240], [1, 1, null, 0, 0.5], 60), [
    { from: 0, to: 120, share: 1 },
    { from: 180, to: 240, share: 0 },
    { from: 240, to: 300, share: 0.5 },
  ]);
});

test("a moment of heat in an hour is seen", () => {
  assert.deepEqual(pieces([0], [0.001], 3600), [{ from: 0, to: 3600, share: 0.05 }]);
});

test("a raw sample stands for the time until the next, not for a silence", () => {
  assert.deepEqual(lengthsOf([0, 5, 10, 100, 105], 0), [5, 5, 15, 5, 5]);
  assert.deepEqual(lengthsOf([0, 60, 200], 60), [60, 60, 60]);
  assert.deepEqual(lengthsOf([7], 0), [1]);
  assert.deepEqual(lengthsOf([], 0), []);
});
