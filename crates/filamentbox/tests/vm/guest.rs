//! The guest's side: runs the scenarios of a group, one after the other, and says on the console how each ended.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;

use crate::machine::clock;
use crate::scenarios::GROUPS;

/// Why the last scenario panicked, and where.
static REASON: Mutex<String> = Mutex::new(String::new());

/// A line of the console that is meant for the host.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Line<'a> {
    /// Scenario and a remark.
    Passed(&'a str, &'a str),
    /// Scenario and a remark; its evidence came before.
    Failed(&'a str, &'a str),
    /// A result that is shown, not judged.
    Measured(&'a str),
    /// What belongs to the failure that follows.
    Evidence(&'a str),
    /// The guest's program is through.
    End,
}

/// Begins every such line, wherever on the line the kernel's own messages have left the cursor.
const MARK: &str = "@vm ";

impl<'a> Line<'a> {
    /// Reads a line of the console.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (_, text) = text.split_once(MARK)?;
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        let (name, note) = rest.split_once(' ').unwrap_or((rest, ""));
        match word {
            "passed" => Some(Self::Passed(name, note)),
            "failed" => Some(Self::Failed(name, note)),
            "measured" => Some(Self::Measured(rest)),
            "evidence" => Some(Self::Evidence(rest)),
            "end" => Some(Self::End),
            _ => None,
        }
    }

    fn say(&self) {
        match self {
            Self::Passed(name, note) => println!("{MARK}passed {name} {note}"),
            Self::Failed(name, note) => println!("{MARK}failed {name} {note}"),
            Self::Measured(what) => println!("{MARK}measured {what}"),
            Self::Evidence(what) => println!("{MARK}evidence {what}"),
            Self::End => println!("{MARK}end"),
        }
    }
}

/// Shows a number that nobody judges.
pub(crate) fn measured(what: &str) {
    Line::Measured(what).say();
}

/// Shows what explains a failure.
pub(crate) fn evidence(text: &str) {
    text.lines().for_each(|line| Line::Evidence(line).say());
}

/// Runs the group that the kernel's command line names.
pub(crate) fn run() -> ExitCode {
    let command_line = std::fs::read_to_string("/proc/cmdline").expect("/proc");
    let word = |key: &str| command_line.split_whitespace().find_map(|word| word.strip_prefix(key)).unwrap_or("");
    let filters: Vec<&str> = word("vm.filters=").split(',').filter(|filter| !filter.is_empty()).collect();
    let group = GROUPS.iter().find(|group| group.name == word("vm.group=")).expect("a group of this name");
    std::panic::set_hook(Box::new(|panic| {
        *REASON.lock().expect("no panic holds it") = panic.to_string();
    }));
    for scenario in group.selected(&filters) {
        let start = clock::now();
        println!("--- {}", scenario.name);
        let outcome = catch_unwind(AssertUnwindSafe(scenario.run));
        let note = format!("{:.1} s of the guest", (clock::now() - start).as_secs_f64());
        if outcome.is_ok() {
            Line::Passed(scenario.name, &note).say();
        } else {
            evidence(&REASON.lock().expect("no panic holds it"));
            Line::Failed(scenario.name, &note).say();
        }
    }
    Line::End.say();
    ExitCode::SUCCESS
}
