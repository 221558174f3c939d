import assert from "node:assert/strict";
import { test } from "node:test";
import type { History } from "../../types";
import { rows, sentences, shareWords, summary } from "./summary";

const MINUTES: History = {
  box: "main",
  from: 0,
  to: 300,
  resolution: 60,
  timestamps: [0, 60, 120, 180, 240],
  fields: {
    temperature_c: { mean: [20, 22, null, 24, 30], min: [19, 21, null, 23, 29], max: [21, 23, null, 25, 31] },
    humidity: { mean: [12, 12, null, 10, 10], min: [12, 12, null, 10, 10], max: [12, 12, null, 10, 10] },
    heater_on: { mean: [1, 0.5, null, 0, 0] },
    fan_on: { mean: [0, 0, null, 0, 0] },
  },
};

test("least, mean and most are of the span, with the envelope", () => {
  const [temperature, humidity] = summary(MINUTES, { from: 0, to: 200 }).extremes;
  assert.deepEqual([temperature?.least, temperature?.leastAt], [19, 0]);
  assert.deepEqual([temperature?.most, temperature?.mostAt], [25, 180]);
  assert.equal(temperature?.mean, 22);
  assert.equal(humidity?.quantity.label, "Humidity");
});

test("the point that reaches into the span counts", () => {
  assert.equal(summary(MINUTES, { from: 30, to: 50 }).extremes[0]?.mean, 20);
});

test("the duty is of the measured time", () => {
  const [heater, fan] = summary(MINUTES, { from: 0, to: 300 }).duties;
  assert.deepEqual(heater, { output: "heater", share: 90 / 240, onTime: 90 });
  assert.deepEqual(fan, { output: "fan", share: 0, onTime: 0 });
});

test("it can be read aloud", () => {
  assert.equal(
    sentences(summary(MINUTES, { from: 0, to: 200 }), "C"),
    "Temperature 22.0 °C on average, from 19.0 °C to 25.0 °C. Humidity 11.3 % on average, from 10.0 % to 12.0 %. " +
      "Heater on for 50 % of the time, 1 min. Fan never on.",
  );
  assert.match(sentences(summary(MINUTES, { from: 0, to: 200 }), "F"), /^Temperature 71\.6 °F/);
  assert.equal(sentences(summary(MINUTES, { from: 900, to: 999 }), "C"), "Nothing was measured in this time.");
});

test("a little is not nothing and most is not all", () => {
  assert.deepEqual([0, 0.001, 0.5, 0.999, 1].map(shareWords), ["0 %", "under 1 %", "50 %", "over 99 %", "100 %"]);
});

test("the table has the span's points without its gaps, at most so many", () => {
  assert.deepEqual(rows(MINUTES, { from: 0, to: 300 }, 100), [0, 1, 3, 4]);
  assert.deepEqual(rows(MINUTES, { from: 60, to: 300 }, 100), [1, 3, 4]);
  assert.deepEqual(rows(MINUTES, { from: 0, to: 300 }, 2), [0, 3]);
});
