import assert from "node:assert/strict";
import { test } from "node:test";

import { toggled } from "../settings/controls";
import { passwordProblem, strength } from "../settings/NewPassword";
import { isParked, verdict } from "./relay";
import { codeIn, next, previous, stepAt } from "./steps";

test("the code is read from the address that the daemon prints", () => {
  assert.equal(codeIn("#code=abcde-fghij-klmno-pqrst-uvwxyz"), "abcde-fghij-klmno-pqrst-uvwxyz");
  assert.equal(codeIn("#ABCDEFGHIJKLMNOPQRSTUVWXYZ"), "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
  for (const none of ["", "#", "#main", "#code="]) assert.equal(codeIn(none), "", none);
});

test("before there is a login only the first step is shown, then the one that was reached", () => {
  assert.equal(stepAt("?step=outputs", "database", false), "password");
  assert.equal(stepAt("?step=outputs", "database", true), "outputs");
  assert.equal(stepAt("?step=nonsense", "database", true), "database");
  assert.deepEqual([next("password"), next("done"), previous("password"), previous("sensor")], ["sensor", "done", null, "password"]);
});

test("what was seen decides: only a reversed board is turned round", () => {
  assert.deepEqual(
    (["right", "reversed", "another", "nothing"] as const).map((seen) => {
      const { isGood, turnsRound } = verdict("heater", "16", seen);
      return [seen, isGood, turnsRound];
    }),
    [["right", true, false], ["reversed", false, true], ["another", false, false], ["nothing", false, false]],
  );
  assert.match(verdict("fan", "20", "nothing").words, /GPIO 20/);
});

test("a heater that was just enabled has a band that never heats", () => {
  assert.ok(isParked("0.0", "0.5"));
  assert.ok(!isParked("0", "22"));
});

test("a password's length on both sides of the limit, two lines or one that is shown", () => {
  assert.match(passwordProblem("123456789", "123456789", false) ?? "", /10 characters/);
  assert.equal(passwordProblem("1234567890", "1234567890", false), null);
  assert.match(passwordProblem("1234567890", "1234567891", false) ?? "", /differ/);
  assert.equal(passwordProblem("1234567890", "", true), null);
  assert.equal(passwordProblem("🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂", "", true), null, "characters, not code units");
});

test("strength is said by length, and what repeats itself is weak", () => {
  assert.deepEqual(["", "abc", "aaaaaaaaaaaaaaa", "tulip-mouse", "tulip mouse rain", "tulip mouse rain bridge"].map((one) => strength(one).level), [0, 0, 1, 2, 3, 3]);
  assert.match(strength("abc").words, /^7 more/);
});

test("none stands alone among the backends", () => {
  assert.deepEqual(toggled(["none"], "influxdb_v1", true), ["influxdb_v1"]);
  assert.deepEqual(toggled(["a", "b"], "none", true), ["none"]);
  assert.deepEqual(toggled(["a", "b"], "a", false), ["b"]);
});
