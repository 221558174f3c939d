//! Points that the original could not deliver: into the journal, while no daemon has it.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use filamentbox_core::config::Config;
use filamentbox_core::sample::Point;
use filamentbox_core::time::UnixTime;

use super::super::say;
use crate::alerts::Alerts;
use crate::journal::{self, Adoption};
use crate::runtime::clock::{Clocks, wall};
use crate::runtime::folder::{DataFolder, FolderError};
use crate::runtime::journal_options;
use crate::settings::import::{Backlog, Batch, Unreadable, points_of};

/// A file of such points, read once, so that a damaged one is refused before anything is changed.
pub(in crate::cmd::config::import) struct Waiting {
    path: PathBuf,
    backlog: Backlog,
    interval: Duration,
    now: UnixTime,
}

/// What is in a file.
#[derive(Default)]
struct Summary {
    batches: u64,
    /// Taken in before.
    known: u64,
    points: u64,
    span: Option<(UnixTime, UnixTime)>,
    left_out: Vec<(usize, &'static str)>,
    tags: Vec<(String, String)>,
    untimed: bool,
}

/// Holds the data folder, so that no daemon starts meanwhile.
///
/// # Errors
/// A daemon has it, or it belongs to another user: the daemon could not write the journal then, and what it left on the RAM disk when it
/// crashed is found by its own user only.
pub(in crate::cmd::config::import) fn hold(data_dir: &Path, backlog: &Path) -> Result<DataFolder> {
    let own = rustix::process::geteuid().as_raw();
    if let Some(owner) = std::fs::metadata(data_dir).ok().map(|folder| folder.uid()).filter(|owner| *owner != own) {
        anyhow::bail!(
            "nothing was imported: {} goes into the journal, which belongs to the owner of {}; run this as that user, for example with \
             sudo -u '#{owner}'",
            backlog.display(),
            data_dir.display()
        );
    }
    DataFolder::open(data_dir).map_err(|problem| match problem {
        FolderError::Taken { path } => anyhow!(
            "nothing was imported: {} can only be taken in while no daemon runs on {}; stop it (systemctl stop filamentbox) and try again, \
             or import the settings without this file",
            backlog.display(),
            path.display()
        ),
        problem => problem.into(),
    })
}

impl Waiting {
    /// Opens the file at `path`; its readings were `interval` apart.
    ///
    /// # Errors
    /// It cannot be read, or this machine does not know what time it is.
    pub(in crate::cmd::config::import) fn open(path: &Path, interval: Duration) -> Result<Self> {
        let now =
            wall().context("this machine's clock is not set; set it first, because times are compared with it")?;
        let backlog = Backlog::open(path).with_context(|| path.display().to_string())?;
        Ok(Self { path: path.to_owned(), backlog, interval, now })
    }

    /// Says what is in it, and how much of that the journal has already.
    ///
    /// # Errors
    /// It cannot be read.
    pub(in crate::cmd::config::import) fn tell(&self, journal: &Path) -> Result<()> {
        let mut summary = Summary::default();
        self.each(|identity, batch| {
            let is_known = journal::are_adopted(journal, &[identity]) == [true];
            summary.add(&batch, self.interval, self.now, is_known);
            Ok(())
        })?;
        say(format_args!("{} (points that the original could not deliver):", self.path.display()));
        summary.tell(self.interval);
        Ok(())
    }

    /// Takes its points in. Says how many.
    ///
    /// # Errors
    /// The journal cannot be opened or written; what was taken in until then is known the next time.
    pub(in crate::cmd::config::import) fn take_in(&self, config: &Config, journal: PathBuf) -> Result<u64> {
        let clocks = Arc::new(Clocks::real(config.require_sync));
        let mut adoption = Adoption::open(journal_options(config, journal, clocks, Alerts::default()))?;
        self.each(|identity, batch| {
            let points: Vec<Point> = points_of(&batch, self.interval, self.now).points;
            if !points.is_empty() {
                adoption.add(identity, points)?;
            }
            Ok(())
        })?;
        let name = self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy().into_owned();
        Ok(adoption.finish(|count| format!("{count} points that the original could not deliver came from {name}"))?)
    }

    fn each(&self, mut each: impl FnMut(Vec<u8>, Batch) -> Result<()>) -> Result<()> {
        let read = self.backlog.batches(|batch| {
            let identity = batch.identity();
            each(identity, batch).map_err(Problem::Other)
        });
        read.map_err(|problem| match problem {
            Problem::Unreadable(problem) => anyhow!("{}: {problem}", self.path.display()),
            Problem::Other(problem) => problem,
        })
    }
}

enum Problem {
    Unreadable(Unreadable),
    Other(anyhow::Error),
}

impl From<Unreadable> for Problem {
    fn from(problem: Unreadable) -> Self {
        Self::Unreadable(problem)
    }
}

impl Summary {
    fn add(&mut self, batch: &Batch, interval: Duration, now: UnixTime, is_known: bool) {
        self.batches += 1;
        if is_known {
            self.known += 1;
            return;
        }
        let found = points_of(batch, interval, now);
        self.points += found.points.len() as u64;
        self.untimed |= found.timed < found.points.len();
        for point in &found.points {
            let (first, last) = self.span.unwrap_or((point.at, point.at));
            self.span = Some((first.min(point.at), last.max(point.at)));
        }
        for (count, reason) in found.left_out {
            match self.left_out.iter_mut().find(|(_, known)| *known == reason) {
                Some((known, _)) => *known += count,
                None => self.left_out.push((count, reason)),
            }
        }
        for tag in found.tags {
            if !self.tags.contains(&tag) {
                self.tags.push(tag);
            }
        }
    }

    fn tell(&self, interval: Duration) {
        if self.batches == 0 {
            return say("  nothing waits in it");
        }
        if self.known > 0 {
            say(format_args!("  {} of its {} batches were imported before", self.known, self.batches));
        }
        if let Some((first, last)) = self.span {
            say(format_args!(
                "  {} points of {} batches, from {} to {}: they become history, and every backend gets them once",
                self.points,
                self.batches - self.known,
                shown(first),
                shown(last)
            ));
        }
        if self.untimed {
            say(format_args!(
                "  the original keeps no times: they are counted backwards from when a batch was saved, {} s a reading, and are late by its \
                 tries to deliver it (seconds to minutes)",
                interval.as_secs_f64()
            ));
        }
        for (count, reason) in &self.left_out {
            say(format_args!("  {count} left out: {reason}"));
        }
        if !self.tags.is_empty() {
            let tags: Vec<_> = self.tags.iter().map(|(name, text)| format!("{name}={text}")).collect();
            say(format_args!(
                "  their tags ({}) are not kept: all points go out with data_collection.tags",
                tags.join(", ")
            ));
        }
    }
}

/// A moment as people write it, in UTC.
fn shown(at: UnixTime) -> String {
    let moment = jiff::Timestamp::from_millisecond(at.millis());
    moment.map_or_else(|_| at.to_string(), |moment| moment.strftime("%F %TZ").to_string())
}
