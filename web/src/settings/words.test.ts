import assert from "node:assert/strict";
import { test } from "node:test";

import { set } from "./changes";
import { settings } from "./fixture";
import type { Band } from "./preview";
import { nowInWords, pastInWords } from "./Previews";
import { standing } from "./summary";
import { line, strips } from "./Trend";

const heater: Band = { low: 20, high: 22, acts: "below", unit: "°C" };

test("what an output would do now, and why", () => {
  assert.equal(nowInWords(heater, "heater", false, 17.53), "The heater would be ON now, because 17.53 °C is below 20 °C.");
  assert.equal(nowInWords(heater, "heater", true, 23), "The heater would be OFF now, because 23.00 °C is above 22 °C.");
  assert.equal(nowInWords(heater, "heater", true, 21), "The heater would stay ON now, because 21.00 °C is within 20 to 22 °C.");
  assert.match(nowInWords(heater, "heater", true, null), /no reading/);
});

test("what it would have done", () => {
  assert.equal(pastInWords(0.25, 3, 86_400), "In the last 24 h it would have been on 25\u00a0% of the time, switched on 3 times.");
  assert.equal(pastInWords(0, 0, 3600), "In the last 1 h it would have been on 0\u00a0% of the time.");
});

test("how a section stands, in a line", () => {
  const of = (title: string, changes = {}, problems = {}) => {
    const section = settings.sections.find((one) => one.title === title);
    assert.ok(section);
    return standing(settings, changes, problems, section);
  };
  assert.deepEqual(of("Heater"), { line: "20 to 45.5 °C", note: null });
  assert.equal(of("Heater", { "heating_control.enabled": "false" }).line, "off");
  assert.equal(of("Heater", { "heating_control.min_temp_c": "19" }).note, "changed");
  assert.equal(of("Heater", { "heating_control.min_temp_c": "x" }).note, "problem");
  assert.equal(of("Heater", {}, { "heating_control.min_temp_c": "no" }).note, "problem");
  assert.equal(of("Database").line, "none: measurements stay on this machine");
  const chosen = set(settings, {}, "database.type", "influxdb_v2");
  assert.deepEqual(of("Database", chosen), { line: "InfluxDB 2", note: "incomplete" });
  assert.equal(of("Readings and tags").line, "room, site");
});

test("the drawing breaks where there are no readings", () => {
  const same = (value: number) => value;
  assert.equal(line([0, 1, 2, 3], [1, 2, null, 4], same, same), "M0.0 1.0L1.0 2.0M3.0 4.0");
  assert.deepEqual(strips([0, 1, 2, 3, 4], [true, true, false, null, true]), [[0, 2], [4, 4]]);
});
