import assert from "node:assert/strict";
import { test } from "node:test";

import { find, isSame, known, label, nameRefusal, refusal, shown } from "./descriptor";
import { settings, wire } from "./fixture";

const one = (key: string) => {
  const found = find(settings, key);
  assert.ok(found, key);
  return found;
};

function check(key: string, good: string[], bad: string[]): void {
  for (const text of good) assert.equal(refusal(one(key), text), null, `${JSON.stringify(text)} is allowed for ${key}`);
  for (const text of bad) assert.notEqual(refusal(one(key), text), null, `${JSON.stringify(text)} is not allowed for ${key}`);
}

test("both sides of every kind's rule", () => {
  check("heating_control.min_temp_c", ["0", "80", " 5.5 ", "1e1", ".5"], ["-0.1", "80.1", "", "nan", "5 °C", "0x10", "1,5"]);
  check("heating_control.gpio_pin", ["0", "27", " 4 "], ["28", "-1", "1.5", "", "a"]);
  check("heating_control.enabled", ["true", "off", "1"], ["", "maybe"]);
  check("sensor.type", ["auto", "BME280"], ["", "bmp280"]);
  check("database.type", ["", "none", "influxdb_v1, influxdb_v2"], ["influxdb", "none,x"]);
  check("database.influxdb_v2.org", ["", "ähnlich"], ["längeres", "a\nb"]);
  check("database.influxdb_v2.token", ["", "p4ss wörd"], ["a\nb", "x".repeat(4097)]);
  check(
    "database.influxdb_v2.url",
    ["http://localhost:8086", "https://db.example/path/", "http://[::1]:8428", "http://[::1]"],
    ["localhost:8086", "ftp://x", "http://", "http://:80", "http://u:p@h", "http://h:99999", "http://h/?q", "http://a b", ""],
  );
});

test("what is allowed is said, and a secret is not repeated", () => {
  assert.match(refusal(one("heating_control.min_temp_c"), "81") ?? "", /what heating_control.min_temp_c allows/);
  assert.ok(!refusal(one("database.influxdb_v2.token"), "hunter2\n")?.includes("hunter2"));
});

test("members of a family stand below it, not beside it, and a new one is described by it", () => {
  const section = settings.sections.find(({ title }) => title === "Readings and tags");
  assert.deepEqual(section?.keys.map(({ key }) => key), ["data_collection.tags.NAME"]);
  assert.equal(one("data_collection.tags.room").value, "attic");
  assert.equal(one("data_collection.tags.new").kind, "text");
  assert.equal(one("data_collection.tags.new").isFamily, false);
  assert.equal(find(settings, "no.such"), undefined);
});

test("a daemon that names no kind is understood by its types", () => {
  const keys = wire.sections.flatMap(({ keys }) => keys).map(({ kind: _, ...rest }) => rest);
  const { byKey } = known({ sections: [{ title: "All", doc: "", keys }] });
  const kinds = ["sensor.type", "sensor.i2c_bus", "heating_control.enabled", "heating_control.min_temp_c", "database.influxdb_v1.password"];
  assert.deepEqual(kinds.map((key) => byKey.get(key)?.kind), ["choice", "integer", "bool", "number", "secret"]);
});

test("a secret's value is nowhere, only that it is set", () => {
  const secret = one("database.influxdb_v1.password");
  assert.deepEqual([secret.value, secret.isSet, shown(secret, "hunter2")], ["", true, "(a secret)"]);
});

test("texts that mean the same", () => {
  assert.ok(isSame(one("heating_control.min_temp_c"), "20", "20.0"));
  assert.ok(!isSame(one("heating_control.min_temp_c"), "0", ""));
  assert.ok(isSame(one("heating_control.enabled"), "true", "ON"));
  assert.ok(isSame(one("database.type"), "influxdb_v1,influxdb_v2", "influxdb_v1, influxdb_v2,"));
  assert.ok(isSame(one("database.influxdb_v2.url"), "http://h/", "http://h"));
  assert.ok(!isSame(one("database.influxdb_v2.org"), "a ", "a"), "every character of a free text counts");
});

test("names and values for people", () => {
  assert.equal(label(one("heating_control.min_temp_c")), "Minimum temperature");
  assert.equal(label(one("heating_control.gpio_pin")), "GPIO pin");
  assert.equal(label({ ...one("heating_control.gpio_pin"), key: "safety.slew_c_per_s" }), "Slew");
  assert.equal(shown(one("heating_control.min_temp_c"), "20"), "20 °C");
  assert.equal(shown(one("heating_control.enabled"), "true"), "on");
  assert.equal(shown(one("database.influxdb_v2.org"), ""), "(empty)");
});

test("a member's name", () => {
  assert.equal(nameRefusal("shelf", ["room"]), null);
  assert.match(nameRefusal("room", ["room"]) ?? "", /already/);
  for (const bad of ["", "x".repeat(65), "a\tb"]) assert.notEqual(nameRefusal(bad, []), null, bad);
  assert.equal(nameRefusal("x".repeat(64), []), null);
});

test("what a person wants first comes first", () => {
  const keys = (title: string) => settings.sections.find((section) => section.title === title)?.keys.map(({ key }) => key.split(".").at(-1));
  assert.deepEqual(keys("Heater"), ["enabled", "min_temp_c", "max_temp_c", "gpio_pin"]);
  assert.deepEqual(keys("Database"), ["type", "url", "org", "password", "token"]);
});
