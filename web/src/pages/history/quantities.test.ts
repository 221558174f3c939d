import assert from "node:assert/strict";
import { test } from "node:test";
import { QUANTITIES, chosenFields, fieldsFor, shown, text } from "./quantities";
import type { Quantity } from "./quantities";

const [TEMPERATURE, HUMIDITY] = QUANTITIES as [Quantity, Quantity];

test("temperatures follow the unit, the others do not", () => {
  assert.equal(text(TEMPERATURE, 20, "F"), "68.0 °F");
  assert.equal(text(TEMPERATURE, -0.04, "C"), "0.0 °C");
  assert.equal(text(HUMIDITY, 20, "F"), "20.0 %");
  assert.equal(text(HUMIDITY, null, "C"), "– %");
  assert.equal(shown(TEMPERATURE, 100, "F"), 212);
});

test("a kept choice has what exists, in its order, and never nothing", () => {
  assert.deepEqual(chosenFields("humidity,temperature_c"), ["temperature_c", "humidity"]);
  assert.deepEqual(chosenFields("pressure,money"), ["pressure"]);
  assert.deepEqual(chosenFields(""), ["temperature_c", "humidity"]);
});

test("the outputs are always asked for", () => {
  assert.equal(fieldsFor(["pressure"]), "pressure,heater_on,fan_on");
});
