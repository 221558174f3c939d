import assert from "node:assert/strict";
import { test } from "node:test";
import type { Backend } from "../../types";
import { advice, backendName, count, health, missing, since } from "./backends";

const NOW = 1_800_000_000;
const BACKEND: Backend = {
  type: "influxdb_v2",
  connected: true,
  backlog_points: 0,
  unconfirmed_points: 0,
  oldest_unsent: null,
  last_write_time: NOW - 5,
  consecutive_failures: 0,
  last_error: null,
  totals: { sampled: 100, delivered: 90, waiting: 4, dead_letter: 3, superseded: 2, evicted: 1 },
};

function check(changes: Partial<Backend>, word: string): void {
  assert.equal(health({ ...BACKEND, ...changes }, NOW).word, word);
}

test("health in a word, from both sides of each limit", () => {
  check({}, "Working");
  check({ connected: null, last_write_time: null }, "Not tried yet");
  check({ connected: false, consecutive_failures: 1 }, "Trying again");
  check({ connected: false, consecutive_failures: 2 }, "Trying again");
  check({ connected: false, consecutive_failures: 3 }, "Failing");
  check({ backlog_points: 9, oldest_unsent: NOW - 600 }, "Working");
  check({ backlog_points: 9, oldest_unsent: NOW - 601 }, "Catching up");
});

test("the books balance, or say by how much they do not", () => {
  assert.equal(missing(BACKEND.totals), 0);
  assert.equal(missing({ ...BACKEND.totals, sampled: 101 }), 1);
  assert.equal(missing({ ...BACKEND.totals, delivered: 95 }), -5);
});

test("what to do about an error", () => {
  const cases: [string, RegExp][] = [
    ["http://localhost:8086/: connection refused", /server runs/],
    ["the server answers 401 unauthorized access", /password or token/],
    ["404: bucket \"box\" not found", /does not know/],
    ["invalid peer certificate: UnknownIssuer", /certificate/],
    ["failed to lookup address information", /name service/],
    ["503 service unavailable", /its log/],
    ["what is this", /Test the connection/],
  ];
  for (const [error, expected] of cases) assert.match(advice(error), expected, error);
});

test("numbers and moments", () => {
  assert.deepEqual([0, 999, 1000, 1234567].map(count), ["0", "999", "1\u202f000", "1\u202f234\u202f567"]);
  assert.deepEqual([since(null, NOW), since(NOW, NOW), since(NOW - 90, NOW)], ["never", "just now", "1 min ago"]);
  assert.deepEqual([backendName("timescaledb"), backendName("abacus")], ["TimescaleDB", "abacus"]);
});
