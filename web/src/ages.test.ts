import assert from "node:assert/strict";
import { test } from "node:test";
import { ago, countdown, moment, span } from "./ages";

test("spans on both sides of each unit", () => {
  const cases: [number, string][] = [
    [-3, "0 s"],
    [59.9, "59 s"],
    [60, "1 min"],
    [3599, "59 min"],
    [3600, "1 h"],
    [11_100, "3 h 5 min"],
    [86_399, "23 h 59 min"],
    [187_200, "2 d 4 h"],
  ];
  for (const [seconds, expected] of cases) assert.equal(span(seconds), expected);
  assert.equal(ago(1.9), "just now");
  assert.equal(ago(12), "12 s ago");
});

test("a countdown ends at 0:00 and not before", () => {
  assert.equal(countdown(1745), "29:05");
  assert.equal(countdown(3727), "1:02:07");
  assert.equal(countdown(0.2), "0:01");
  assert.equal(countdown(-1), "0:00");
  assert.equal(countdown(90_000), "1 d 1 h");
});

test("a moment has its day unless it is today", () => {
  const now = new Date(2026, 10, 24, 15, 0).getTime() / 1000;
  const time = moment(now - 3600, now);
  assert.match(time, /^(14|02|2):00/);
  assert.match(moment(now - 2 * 86_400, now), /^\S+ /);
  assert.ok(moment(now - 86_400, now).endsWith(moment(now, now)));
});
