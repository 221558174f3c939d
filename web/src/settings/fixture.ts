// A few settings as a daemon describes them: one of every kind, for the tests.

import { type Known, type WireConfig, type WireKey, known } from "./descriptor";

const key = (key: string, rest: Partial<WireKey>): WireKey => ({
  key,
  set: rest.value !== "" && rest.value !== undefined,
  source: "default",
  type: "str",
  unit: "",
  description: `About ${key}.`,
  default: "",
  required: false,
  choices: null,
  min: null,
  max: null,
  at_start: false,
  restart_needed: false,
  family: false,
  allowed: `what ${key} allows`,
  ...rest,
});

const temperature = { type: "float", kind: "number", unit: "°C", min: 0, max: 80 };

export const wire: WireConfig = {
  sections: [
    {
      title: "Database",
      doc: "Where measurements are sent.",
      keys: [
        key("database.type", { kind: "choices", value: "none", default: "none", choices: ["none", "influxdb_v1", "influxdb_v2"] }),
        key("database.influxdb_v2.url", { kind: "url", value: "http://localhost:8086", default: "http://localhost:8086" }),
        key("database.influxdb_v2.org", { kind: "text", value: "", required: true, max_bytes: 8 }),
        key("database.influxdb_v2.token", { kind: "secret", value: "", required: true, set: false }),
        key("database.influxdb_v1.password", { kind: "secret", value: "********", set: true, source: "store" }),
      ],
    },
    {
      title: "Heater",
      doc: "Whether there is a heater.",
      keys: [
        key("heating_control.enabled", { type: "bool", kind: "bool", value: true, default: false, source: "--simulate" }),
        key("heating_control.min_temp_c", { ...temperature, value: 20, default: 20 }),
        key("heating_control.max_temp_c", { ...temperature, value: 45.5, default: 22, source: "store" }),
        key("heating_control.gpio_pin", { type: "int", kind: "integer", value: 16, default: 16, min: 0, max: 27 }),
      ],
    },
    {
      title: "Sensor",
      doc: "Which sensor is read.",
      keys: [
        key("sensor.type", { kind: "choice", value: "simulated", default: "auto", choices: ["auto", "bme280"], source: "--simulate" }),
        key("sensor.i2c_bus", { type: "int", kind: "integer", value: 3, default: 1, min: 0, max: 255, source: "environment" }),
        key("simulation.seed", { type: "int", kind: "integer", value: 1, default: 1, min: 0, max: 18446744073709551615 }),
      ],
    },
    {
      title: "Readings and tags",
      doc: "How often is measured.",
      keys: [
        key("data_collection.tags.NAME", { kind: "text", family: true, value: null, max_bytes: 256 }),
        key("data_collection.tags.room", { kind: "text", family: true, value: "attic", source: "store", max_bytes: 256 }),
        key("data_collection.tags.site", { kind: "text", family: true, value: "home", source: "store", max_bytes: 256 }),
      ],
    },
  ],
};

export const settings: Known = known(wire);
