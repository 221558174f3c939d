//! The names that only changed, and those that mean nothing here.

/// Old name and new one.
pub(super) const RENAMED: &[(&str, &str)] = &[
    ("influxdb.username", "database.influxdb_v1.username"),
    ("influxdb.password", "database.influxdb_v1.password"),
    ("sensors.type", "sensor.type"),
    ("sensors.read_interval", "data_collection.read_interval"),
    ("sensors.sea_level_pressure", "sensor.sea_level_pressure"),
    ("sensors.bme280.sea_level_pressure", "sensor.sea_level_pressure"),
    ("sensors.gpio_pin", "sensor.gpio_pin"),
    ("sensors.dht22.gpio_pin", "sensor.gpio_pin"),
    ("sensors.dht11.gpio_pin", "sensor.gpio_pin"),
    ("database.batch_size", "data_collection.batch_size"),
    ("database.flush_interval", "data_collection.flush_interval"),
    ("database.influxdb.measurement", "data_collection.measurement"),
    ("database.prometheus.pushgateway_url", "database.prometheus.url"),
    ("database.prometheus.gateway_url", "database.prometheus.url"),
    ("database.prometheus.job_name", "database.prometheus.job"),
    ("database.timescaledb.table_name", "database.timescaledb.table"),
];

/// Old name, `*` at its end standing for any rest, and why it means nothing.
pub(super) const IGNORED: &[(&str, &str)] = &[
    ("data_collection.gauge_*", "this version has no page with gauges"),
    ("ui.show_*", "this version has no page"),
    ("database.victoriametrics.timeout", "requests have a fixed limit of time"),
];
