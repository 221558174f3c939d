//! The journal's file without the daemon: `history export` reads it when nobody else does.

use std::ops::{ControlFlow, Range};
use std::path::Path;

use filamentbox_core::sample::{BoxName, Point};
use filamentbox_core::time::UnixTime;

use super::OpenError;
use super::crash::{Place, SampleLog};
use super::requests::Selection;
use super::store::Reading;

/// What was read.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct FileReport {
    /// Points handed out.
    pub points: u64,
    /// Blocks that are damaged and were left out.
    pub damaged_blocks: u64,
}

/// The time of the newest sealed sample; `None` without a readable journal.
pub fn newest(path: &Path) -> Option<UnixTime> {
    Reading::open(path).ok()?.newest().ok()?
}

/// Hands out the points of a time range, oldest first, block by block, until `each` has enough. Changes nothing. With the folder of
/// the crash log, the open samples of a daemon that crashed come last, as far as their time is known.
///
/// # Errors
/// The file cannot be read.
pub fn read_file(
    path: &Path,
    crash_log_dir: Option<&Path>,
    range: Range<UnixTime>,
    box_name: Option<BoxName>,
    mut each: impl FnMut(Vec<Point>) -> ControlFlow<()>,
) -> Result<FileReport, OpenError> {
    let unreadable = |reason: String| OpenError::Unavailable { path: path.to_owned(), reason };
    let selection = Selection { range, box_name };
    let reading = Reading::open(path)?;
    let mut report = FileReport::default();
    let mut enough = ControlFlow::Continue(());
    let mut hand_out = |points: Vec<Point>, report: &mut FileReport| {
        let points: Vec<Point> = points.into_iter().filter(|point| selection.contains(point)).collect();
        report.points += points.len() as u64;
        if points.is_empty() { ControlFlow::Continue(()) } else { each(points) }
    };
    reading
        .blocks(&selection.range, |points| {
            match points {
                Ok(points) => enough = hand_out(points, &mut report),
                Err(_) => report.damaged_blocks += 1,
            }
            enough
        })
        .map_err(|error| unreadable(error.to_string()))?;
    if enough.is_continue()
        && let Some(place) = crash_log_dir.and_then(|folder| Place::new(folder, path).ok())
    {
        let (id, end) = reading.id_and_end().map_err(|error| unreadable(error.to_string()))?;
        let open = SampleLog::read(&place, id, end).samples.into_iter();
        let points = open.filter_map(|(_, sample)| Some(sample.point_at(sample.wall?))).collect();
        let _ = hand_out(points, &mut report);
    }
    Ok(report)
}
