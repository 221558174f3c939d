import assert from "node:assert/strict";
import { test } from "node:test";
import { timeWords } from "./timeaxis";

const HOUR = 3_600;
/** 24 November 2026, 22:00 in Berlin. */
const EVENING = Date.UTC(2026, 10, 24, 21) / 1000;

const berlin = timeWords("en-GB", "Europe/Berlin");
const newYork = timeWords("en-US", "America/New_York");

test("the marks are in the device's time zone, with the day where it begins", () => {
  assert.deepEqual(berlin.marks([EVENING, EVENING + HOUR, EVENING + 2 * HOUR], HOUR), ["22:00\n24 Nov", "23:00", "00:00\n25 Nov"]);
  assert.equal(plain(newYork.marks([EVENING], HOUR)[0]), "04:00 PM\nNov 24");
  assert.deepEqual(berlin.marks([EVENING, EVENING + 15], 15), ["22:00:00\n24 Nov", "22:00:15"]);
});

test("days, months and years", () => {
  const days = [EVENING, EVENING + 24 * HOUR];
  assert.deepEqual(berlin.marks(days, 24 * HOUR), ["24 Nov\n2026", "25 Nov"]);
  const months = [Date.UTC(2026, 11, 1) / 1000, Date.UTC(2027, 0, 1) / 1000];
  assert.deepEqual(berlin.marks(months, 31 * 24 * HOUR), ["Dec\n2026", "Jan\n2027"]);
});

test("a moment is as exact as its point", () => {
  assert.equal(berlin.moment(EVENING + 7, 0), "Tue 24 Nov, 22:00:07");
  assert.equal(berlin.moment(EVENING, 60), "Tue 24 Nov, 22:00");
  assert.equal(berlin.moment(EVENING, 86_400), "24 Nov 2026");
});

/** Some versions of the time data write a narrow space before PM. */
function plain(text: string | undefined): string | undefined {
  return text?.replace(/\u202f/g, " ");
}
