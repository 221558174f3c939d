import assert from "node:assert/strict";
import { test } from "node:test";
import type { Output, Status } from "./types";
import { humidityAt, spoken, verdict } from "./verdict";

const output = (on: boolean): Output => ({ on, manual: null, mode: "auto", reason: "", until: null, enabled: true });

function status(temperature_c: number | null, humidity: number | null, fan = false, max_humidity: number | null = 15): Status {
  return {
    box: "main",
    sensor: {
      temperature_c,
      temperature_f: null,
      humidity,
      pressure: null,
      dew_point_c: null,
      absolute_humidity: null,
      timestamp: 0,
      age: 0,
      error: humidity === null ? "no answer at 0x76" : null,
    },
    controls: { heater: output(false), fan: output(fan) },
    database: { sinks: [] },
    safety: { heat_allowed: true, reason: null, faults: [] },
    limits: { min_temp_c: 20, max_temp_c: 22, min_humidity: 10, max_humidity, cut_off_c: 70 },
    journal: { samples: 0, open: 0, dropped: 0, file_bytes: 0, disk_error: null, waiting_for_clock: false },
    settings: { problems: [], restart_needed: [] },
    simulated: true,
    version: "0",
    uptime: 0,
  };
}

test("dry, drying, too humid: both sides of the limit", () => {
  const check = (given: Status, headline: string, age: number | null = 1) => assert.equal(verdict(given, age, "C").headline, headline);
  check(status(21, 15), "Dry");
  check(status(21, 15.01), "Too humid");
  check(status(21, 15.01, true), "Drying");
  check(status(21, 15, false, null), "Measuring");
  check(status(21, 15), "Dry", 60);
  check(status(21, 15), "Old reading", 60.1);
  check(status(null, null), "No reading", null);
});

test("a low percentage in warm air is not called dry", () => {
  const warm = verdict(status(50, 14), 1, "F");
  assert.equal(warm.headline, "Dry while warm");
  assert.match(warm.detail, /^Cooled to 68 °F this air would have 7\d %/);
  assert.equal(verdict(status(50, 2), 1, "C").headline, "Dry");
  assert.equal(verdict(status(24.9, 14.9), 1, "C").headline, "Dry");
});

test("the same air at another temperature", () => {
  assert.equal(Math.round(humidityAt({ temperature_c: 20, humidity: 40 }, 20) ?? 0), 40);
  assert.equal(humidityAt({ temperature_c: 50, humidity: 90 }, 20), 100);
  assert.equal(humidityAt({ temperature_c: null, humidity: 90 }, 20), null);
});

test("a new reading alone is not read out", () => {
  assert.equal(spoken(status(21, 14), "Dry"), spoken(status(21.1, 13.9), "Dry"));
  assert.notEqual(spoken(status(21, 14), "Dry"), spoken(status(21, 14, true), "Dry"));
});
