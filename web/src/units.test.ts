import assert from "node:assert/strict";
import { test } from "node:test";
import { absoluteHumidity, bytes, celsius, decimal, fahrenheit, inUnit, percent, temperature } from "./units";

test("temperatures in both units", () => {
  assert.equal(temperature(21.27, "C"), "21.3 °C");
  assert.equal(temperature(21.27, "F"), "70.3 °F");
  assert.equal(temperature(-7.05, "C"), "−7.0 °C");
  assert.equal(temperature(0, "F", 0), "32 °F");
  assert.equal(temperature(null, "F"), "– °F");
  assert.equal(celsius(fahrenheit(48)), 48);
});

test("a number that rounds to zero has no minus, and one that is none is a dash", () => {
  assert.equal(decimal(-0.04, 1), "0.0");
  assert.equal(decimal(-0.05, 1), "−0.1");
  assert.equal(decimal(Number.NaN, 1), "–");
  assert.equal(percent(undefined), "– %");
  assert.equal(absoluteHumidity(2.13), "2.1 g/m³");
});

test("bytes on both sides of each unit", () => {
  assert.equal(bytes(0), "0 B");
  assert.equal(bytes(999), "999 B");
  assert.equal(bytes(1_000), "1.0 kB");
  assert.equal(bytes(41_000), "41.0 kB");
  assert.equal(bytes(512_000_000), "512 MB");
});

test("the daemon's words in °F", () => {
  const check = (words: string, expected: string) => assert.equal(inUnit(words, "F"), expected);
  check("17.53 °C is below 20 °C", "63.6 °F is below 68 °F");
  check("21.27 °C is within 20 to 22 °C, nothing to change", "70.3 °F is within 68 to 71.6 °F, nothing to change");
  check("20.00 °C rose to 23.90 °C in 600 s, 3 °C in 600 s are too much", "68 °F rose to 75 °F in 600 s, 5.4 °F in 600 s are too much");
  check("85.00 °C follows on -20.00 °C; more than 5 °C a second or 20 °C in all", "185 °F follows on -4 °F; more than 9 °F a second or 36 °F in all");
  check("18.06 % is above 15 %", "18.06 % is above 15 %");
  assert.equal(inUnit("17.53 °C is below 20 °C", "C"), "17.53 °C is below 20 °C");
});
