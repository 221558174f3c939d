//! What of changed settings holds before the next start.

use filamentbox_core::config::Registry;

use super::super::guard::is_simulated;
use crate::settings::{Loaded, check_together};

/// `new`, but what takes effect at the next start as it is in `old`; all of `old` when that mixture is not allowed.
pub(super) fn until_the_next_start(registry: &Registry, old: &Loaded, new: &Loaded) -> Loaded {
    let mut settings = new.settings.clone();
    // Between the model of a box and a real one lies a start: a simulated sensor drives simulated lines only.
    let other_world = is_simulated(&old.config) != is_simulated(&new.config);
    for key in old.settings.differences(&new.settings) {
        let at_start = registry.find(key).is_some_and(|spec| spec.at_start);
        if at_start || (other_world && key == "sensor.type") {
            settings.take_from(&old.settings, key);
        }
    }
    match check_together(&settings) {
        (config, problems) if problems.is_empty() => Loaded { settings, config, warnings: new.warnings.clone() },
        // They go together only after the start.
        _ => old.clone(),
    }
}

#[cfg(test)]
mod tests {
    use crate::settings::{Layers, load, registry};

    use super::*;

    type Values<'a> = &'a [(&'a str, &'a str)];

    /// What of `new` holds, as the keys that differ from `old` and from `new`.
    #[track_caller]
    fn check(old: Values<'_>, new: Values<'_>, holds: &[&str], waits: &[&str]) {
        let loaded = |values: Values<'_>| {
            let stored = values.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
            load(&registry(), Layers { stored, ..Layers::default() }).expect("allowed")
        };
        let (old, new) = (loaded(old), loaded(new));
        let in_force = until_the_next_start(&registry(), &old, &new);
        assert_eq!(in_force.settings.differences(&old.settings), holds);
        assert_eq!(in_force.settings.differences(&new.settings), waits);
    }

    #[test]
    fn marked_keys_wait_and_the_others_hold() {
        let new = [("webui.port", "80"), ("persistence.db_path", "other.db"), ("safety.max_temp_c", "60")];
        check(&[], &new, &["safety.max_temp_c", "webui.port"], &["persistence.db_path"]);
        check(&new, &[], &["safety.max_temp_c", "webui.port"], &["persistence.db_path"]);
        check(&[("sensor.type", "bme280")], &[("sensor.type", "dht22")], &["sensor.type"], &[]);
    }

    #[test]
    fn the_simulated_sensor_comes_and_goes_with_a_start() {
        let (real, simulated) = (("sensor.type", "bme280"), ("sensor.type", "simulated"));
        let hot = ("safety.max_temp_c", "60");
        check(&[real], &[simulated, hot], &["safety.max_temp_c"], &["sensor.type"]);
        check(&[simulated], &[real, hot], &["safety.max_temp_c"], &["sensor.type"]);
        check(&[real], &[hot, real], &["safety.max_temp_c"], &[]);
    }

    #[test]
    fn what_is_allowed_only_together_waits_together() {
        // A DHT11 does not see 60 °C, the simulated sensor does.
        let heating = ("heating_control.enabled", "true");
        let old =
            [heating, ("sensor.type", "dht11"), ("safety.max_temp_c", "45"), ("data_collection.read_interval", "2")];
        let new = [
            heating,
            ("sensor.type", "simulated"),
            ("safety.max_temp_c", "60"),
            ("data_collection.read_interval", "2"),
        ];
        check(&old, &new, &[], &["safety.max_temp_c", "sensor.type"]);
    }
}
