//! What is read, how often, and how it is labelled.

use crate::config::{KeySpec, Kind};

pub(super) const KEYS: &[KeySpec] = &[
    KeySpec::new(
        "sensor.temperature_offset_c",
        Kind::Number { min: -20.0, max: 20.0 },
        "0",
        "°C",
        "Calibration: added to every temperature reading.",
    ),
    KeySpec::new(
        "sensor.humidity_offset_pct",
        Kind::Number { min: -30.0, max: 30.0 },
        "0",
        "%",
        "Calibration: added to every humidity reading; the result is kept within 0 to 100 %.",
    ),
    KeySpec::new(
        "data_collection.read_interval",
        Kind::Number { min: 0.25, max: 3600.0 },
        "5.0",
        "s",
        "From one reading to the next. With heating enabled at least two readings must fit into safety.max_sample_age.",
    ),
    KeySpec::new(
        "data_collection.batch_size",
        Kind::Integer { min: 1, max: 10_000 },
        "5000",
        "points",
        "A request to a backend holds at most so many points; when so many wait, they are sent at once.",
    ),
    KeySpec::new(
        "data_collection.flush_interval",
        Kind::Number { min: 1.0, max: 3600.0 },
        "60",
        "s",
        "A point waits at most this long before it is sent (sending begins a tenth of it earlier, by at most 5 s).",
    ),
    KeySpec::new(
        "data_collection.measurement",
        Kind::Text { max_bytes: 128 },
        "environment",
        "",
        "The measurement name of every point.",
    ),
    KeySpec::new(
        "data_collection.tags.NAME",
        Kind::Text { max_bytes: 256 },
        "",
        "",
        "A tag of every point. In the environment FILAMENTBOX_DATA_COLLECTION__TAGS takes a JSON object with names as written; FILAMENTBOX_DATA_COLLECTION__TAGS__NAME sets one tag, its name in lower case.",
    ),
];
