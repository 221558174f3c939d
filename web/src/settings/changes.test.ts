import assert from "node:assert/strict";
import { test } from "node:test";

import * as form from "./changes";
import { find } from "./descriptor";
import { settings } from "./fixture";

const none: form.Changes = {};
const low = "heating_control.min_temp_c";
const high = "heating_control.max_temp_c";

test("a text that holds already is no change", () => {
  assert.deepEqual(form.set(settings, none, low, "21"), { [low]: "21" });
  assert.deepEqual(form.set(settings, { [low]: "21" }, low, "20.0"), none);
  // Of a secret nobody here knows what holds.
  const password = "database.influxdb_v1.password";
  assert.deepEqual(form.set(settings, none, password, "x"), { [password]: "x" });
});

test("back to the default is a change only where something is stored", () => {
  assert.deepEqual(form.unset(settings, { [low]: "21" }, low), none);
  assert.deepEqual(form.unset(settings, none, high), { [high]: null });
  assert.equal(form.textOf(settings, { [high]: null }, high), "22");
  assert.equal(form.textOf(settings, none, high), "45.5");
});

test("what comes from elsewhere is fixed, and it is said where", () => {
  const fixed = (key: string) => form.fixedBy(find(settings, key)!);
  assert.match(fixed("sensor.i2c_bus") ?? "", /FILAMENTBOX_SENSOR__I2C_BUS/);
  assert.match(fixed("sensor.type") ?? "", /--simulate/);
  assert.equal(fixed("heating_control.enabled"), null, "--simulate only lends it a default");
  assert.equal(fixed(high), null);
});

test("only a chosen backend's keys matter, and its required ones are missed", () => {
  const org = "database.influxdb_v2.org";
  const token = "database.influxdb_v2.token";
  assert.equal(form.isInUse(settings, none, org), false);
  assert.equal(form.isMissing(settings, none, org), false);
  const chosen = form.set(settings, none, "database.type", "influxdb_v2");
  assert.equal(form.isInUse(settings, chosen, org), true);
  assert.deepEqual(Object.keys(form.obstacles(settings, chosen)).sort(), [org, token]);
  const filled = { ...chosen, [org]: "home", [token]: "t" };
  assert.deepEqual(form.obstacles(settings, filled), {});
  assert.match(form.obstacles(settings, { ...filled, [org]: "" })[org] ?? "", /Required/);
});

test("a refused text stands at its key", () => {
  assert.deepEqual(Object.keys(form.obstacles(settings, { [low]: "81", [high]: "50" })), [low]);
  assert.match(form.obstacles(settings, { "no.such": "1" })["no.such"] ?? "", /no longer/);
  assert.match(form.obstacles(settings, { [`data_collection.tags.${"x".repeat(65)}`]: "1" })[`data_collection.tags.${"x".repeat(65)}`] ?? "", /64/);
});

test("a member without a value is no setting", () => {
  assert.match(form.obstacles(settings, { "data_collection.tags.new": "" })["data_collection.tags.new"] ?? "", /needed/);
  assert.deepEqual(form.obstacles(settings, { "data_collection.tags.room": null }), {});
});

test("a family's members are added, renamed and removed", () => {
  const family = find(settings, "data_collection.tags.NAME")!;
  const names = (changes: form.Changes) => form.members(settings, changes, family);
  assert.deepEqual(names(none), ["room", "site"]);
  const added = form.set(settings, none, "data_collection.tags.box", "1");
  assert.deepEqual(names(added), ["box", "room", "site"]);
  assert.deepEqual(form.unset(settings, added, "data_collection.tags.box"), none, "never saved: nothing to remove");
  const renamed = form.rename(settings, none, family, "room", "place");
  assert.deepEqual(names(renamed), ["place", "site"]);
  assert.deepEqual(renamed, { "data_collection.tags.room": null, "data_collection.tags.place": "attic" });
  assert.deepEqual(form.rename(settings, renamed, family, "place", "room"), none, "back again is no change");
});

test("a change in words", () => {
  const words = (changes: form.Changes, key: string) => Object.values(form.oldAndNew(settings, changes, key)).join(" -> ");
  assert.equal(words({ [low]: "21" }, low), "20 °C -> 21 °C");
  assert.equal(words({ [high]: null }, high), "45.5 °C -> 22 °C (the default)");
  assert.equal(words({ "database.influxdb_v1.password": "x" }, "database.influxdb_v1.password"), "set -> replaced");
  assert.equal(words({ "database.influxdb_v1.password": null }, "database.influxdb_v1.password"), "set -> not set");
  assert.equal(words({ "database.influxdb_v2.token": "x" }, "database.influxdb_v2.token"), "not set -> set");
  assert.equal(words({ "data_collection.tags.room": null }, "data_collection.tags.room"), "attic -> (removed)");
  assert.equal(words({ "data_collection.tags.new": "1" }, "data_collection.tags.new"), "(not there) -> 1");
});

test("a refusal about two keys stands at both, and two about one stand together", () => {
  const problems = form.byKey([
    { key: `${low}, ${high}`, error: "not together" },
    { key: high, error: "too hot" },
  ]);
  assert.deepEqual(problems, { [low]: "not together", [high]: "not together; too hot" });
});

test("what another program saved meanwhile is no change any more", () => {
  const changes = { [low]: "20", [high]: "50", "sensor.i2c_bus": "2", "no.such": "1" };
  assert.deepEqual(form.rebase(settings, changes), { [high]: "50" });
});
