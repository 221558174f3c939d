//! What a check found: its status, the fact behind it, and what mends it.

use serde::Serialize;
use serde_json::{Value, json};

/// How good it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    /// As it should be.
    Ok,
    /// It works; something is weaker than it could be.
    Warn,
    /// It does not work, or is not safe.
    Fail,
    /// Not looked at; the finding says why.
    Skip,
}

impl Status {
    pub(super) const ALL: [Self; 4] = [Self::Ok, Self::Warn, Self::Fail, Self::Skip];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Skip => "skip",
        }
    }
}

/// One step of a remedy.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "do", rename_all = "lowercase")]
pub(super) enum Step {
    /// In words.
    Say {
        /// The words.
        text: String,
    },
    /// A command to copy.
    Run {
        /// The command, for a POSIX shell.
        text: String,
    },
    /// A line for a file.
    Put {
        /// The line, or several.
        text: String,
        /// The file.
        file: String,
    },
}

pub(super) fn say(text: impl Into<String>) -> Step {
    Step::Say { text: text.into() }
}

pub(super) fn run(text: impl Into<String>) -> Step {
    Step::Run { text: text.into() }
}

pub(super) fn put(text: impl Into<String>, file: impl Into<String>) -> Step {
    Step::Put { text: text.into(), file: file.into() }
}

/// Whether a check decides about heat, or about everything else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Concern {
    /// Part of `--safety`.
    Safety,
    /// The rest.
    Working,
}

/// Names and group of a check. The id is stable: programs read it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Check {
    pub(super) group: &'static str,
    pub(super) id: &'static str,
    /// At most 17 characters, for the page's second column.
    pub(super) title: &'static str,
    pub(super) concern: Concern,
}

impl Check {
    pub(super) const fn safety(group: &'static str, id: &'static str, title: &'static str) -> Self {
        Self { group, id, title, concern: Concern::Safety }
    }

    pub(super) const fn working(group: &'static str, id: &'static str, title: &'static str) -> Self {
        Self { group, id, title, concern: Concern::Working }
    }

    pub(super) fn ok(self, found: impl Into<String>) -> Finding {
        self.found(Status::Ok, found)
    }

    pub(super) fn warn(self, found: impl Into<String>) -> Finding {
        self.found(Status::Warn, found)
    }

    pub(super) fn fail(self, found: impl Into<String>) -> Finding {
        self.found(Status::Fail, found)
    }

    pub(super) fn skip(self, reason: impl Into<String>) -> Finding {
        self.found(Status::Skip, reason)
    }

    pub(super) fn found(self, status: Status, found: impl Into<String>) -> Finding {
        Finding { check: self, subject: None, status, found: found.into(), remedy: Vec::new() }
    }
}

/// The result of one check on one subject.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Finding {
    pub(super) check: Check,
    /// What it is about when a check looks at several: `heater`, a backend's name.
    pub(super) subject: Option<String>,
    pub(super) status: Status,
    /// What was found, or why nothing was looked at.
    pub(super) found: String,
    /// In order; never empty for warn and fail.
    pub(super) remedy: Vec<Step>,
}

impl Finding {
    pub(super) fn of(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    pub(super) fn mend(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.remedy.extend(steps);
        self
    }

    fn json(&self) -> Value {
        json!({
            "group": self.check.group,
            "id": self.check.id,
            "title": self.check.title,
            "subject": self.subject,
            "safety": self.check.concern == Concern::Safety,
            "status": self.status,
            "found": self.found,
            "remedy": self.remedy,
        })
    }
}

/// All findings, and what they were made on.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) machine: String,
    pub(super) findings: Vec<Finding>,
}

impl Report {
    pub(super) fn count(&self, status: Status) -> usize {
        self.findings.iter().filter(|finding| finding.status == status).count()
    }

    pub(super) fn has_failed(&self) -> bool {
        self.count(Status::Fail) > 0
    }

    /// For programs. Keys are never renamed or removed; new ones may come.
    pub(super) fn json(&self) -> Value {
        let counts: serde_json::Map<String, Value> =
            Status::ALL.into_iter().map(|status| (status.name().to_owned(), json!(self.count(status)))).collect();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "machine": self.machine,
            "healthy": !self.has_failed(),
            "counts": counts,
            "findings": self.findings.iter().map(Finding::json).collect::<Vec<_>>(),
        })
    }
}
