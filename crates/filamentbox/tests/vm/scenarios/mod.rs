//! What is shown in the virtual machine. A group is one boot; its scenarios run one after the other and leave nothing behind.

mod boxes;
mod dht;
mod hours;
mod outputs;
mod reaction;
mod sensors;

/// One scenario: passes by returning, fails by panicking.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) run: fn(),
}

/// Scenarios that share a boot.
pub(crate) struct Group {
    pub(crate) name: &'static str,
    pub(crate) scenarios: &'static [Scenario],
}

/// A list of scenarios from the names of their functions.
macro_rules! scenarios {
    ($($function:ident),* $(,)?) => { &[$(crate::scenarios::Scenario { name: stringify!($function), run: $function }),*] };
}
use scenarios;

/// All of them.
pub(crate) const GROUPS: &[Group] = &[
    Group { name: "sensors", scenarios: sensors::ALL },
    Group { name: "dht", scenarios: dht::ALL },
    Group { name: "outputs", scenarios: outputs::ALL },
    Group { name: "reaction", scenarios: reaction::ALL },
    Group { name: "hours", scenarios: hours::ALL },
];

impl Group {
    /// The full names.
    pub(crate) fn names(&self) -> impl Iterator<Item = String> {
        self.scenarios.iter().map(|scenario| format!("{}::{}", self.name, scenario.name))
    }

    /// The scenarios whose full name contains one of `filters`; all when there is no filter.
    pub(crate) fn selected<'a>(&'a self, filters: &'a [&'a str]) -> impl Iterator<Item = &'a Scenario> {
        self.scenarios.iter().filter(move |scenario| {
            let name = format!("{}::{}", self.name, scenario.name);
            filters.is_empty() || filters.iter().any(|filter| name.contains(filter))
        })
    }

    /// Whether any scenario is selected.
    pub(crate) fn selects(&self, filters: &[&str]) -> bool {
        self.selected(filters).next().is_some()
    }
}
