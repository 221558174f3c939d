//! `GET /api/config`: every key, in the sections of a form.

use axum::Json;
use axum::extract::State;
use filamentbox_core::config::Registry;

use super::describe::describe;
use crate::runtime::reloading::View;
use crate::web::{Daemon, dto};

/// The sections in the order of a form: title, what it is about, and how its keys begin.
const SECTIONS: &[(&str, &str, &[&str])] = &[
    ("Sensor", "The sensor that measures the air, and its calibration.", &["sensor"]),
    ("Readings and tags", "How often it is read, and what the readings are called.", &["data_collection"]),
    ("Heater", "Between which temperatures the heater keeps the box.", &["heating_control"]),
    ("Fan", "Between which humidities the fan keeps the box.", &["humidity_control"]),
    ("Safety", "When heat is refused, whatever else is set.", &["safety"]),
    ("Databases", "Where readings are delivered to; none is needed.", &["database"]),
    ("Delivery", "How much is sent at once, and what happens when a database does not answer.", &["queue", "retry"]),
    ("History", "What is kept on this machine, and how.", &["history", "persistence"]),
    ("Alerts", "Whom faults are told.", &["alerts"]),
    ("Page", "This page and the interface for programs.", &["webui"]),
    ("Clock", "When the time of day is trusted.", &["clock"]),
    ("Simulation", "The model of a box that stands for a real one.", &["simulation"]),
];

/// Every key with its value and what it may be, in the sections of a form.
#[utoipa::path(get, path = "/api/config", tag = "Settings", operation_id = "settings", responses(
    (status = 200, description = "The sections", body = dto::AllSettings)))]
pub(crate) async fn all(State(daemon): State<Daemon>) -> Json<dto::AllSettings> {
    Json(sections(&daemon.settings.registry, &daemon.settings.view()))
}

fn sections(registry: &Registry, view: &View) -> dto::AllSettings {
    let section = |(title, doc, beginnings): &(&'static str, &'static str, &[&str])| {
        let is_in = |key: &str| beginnings.contains(&key.split('.').next().unwrap_or_default());
        let specs = registry.specs().iter().filter(|spec| is_in(spec.key));
        let keys = specs.flat_map(|spec| {
            let itself = dto::ListedSetting {
                key: spec.key.to_owned(),
                family: spec.is_family(),
                described: describe(spec, view, spec.key),
            };
            let members =
                view.set.settings.iter().map(|(key, _)| key).filter(|key| spec.is_family() && spec.describes(key));
            let members = members.map(|key| dto::ListedSetting {
                key: key.to_owned(),
                family: false,
                described: describe(spec, view, key),
            });
            std::iter::once(itself).chain(members).collect::<Vec<_>>()
        });
        dto::SettingsSection { title, doc, keys: keys.collect() }
    };
    dto::AllSettings { sections: SECTIONS.iter().map(section).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings;

    #[test]
    fn every_key_is_in_one_section() {
        for spec in settings::registry().specs() {
            let first = spec.key.split('.').next().expect("a first part");
            let count = SECTIONS.iter().filter(|(_, _, beginnings)| beginnings.contains(&first)).count();
            assert_eq!(count, 1, "{}", spec.key);
        }
    }
}
