import assert from "node:assert/strict";
import { test } from "node:test";

import { settings } from "./fixture";
import { search } from "./search";

const keys = (query: string) => search(settings, {}, query).map(({ key }) => key);

test("every word must be found, names first, and secrets are not searched", () => {
  assert.deepEqual(keys("minimum temp"), ["heating_control.min_temp_c"]);
  assert.deepEqual(keys("45.5"), ["heating_control.max_temp_c"]);
  assert.equal(keys("sensor")[0], "sensor.type");
  assert.deepEqual(keys("********"), []);
  assert.deepEqual(keys("  "), []);
  assert.deepEqual(keys("heater nothing-like-that"), []);
});
