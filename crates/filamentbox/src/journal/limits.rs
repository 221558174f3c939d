//! What is kept how long: rollups first, then the raw samples' time, and the file's limits whatever happens.

use std::time::Duration;

use filamentbox_core::time::{Clock, Monotonic, UnixTime};

use super::store::Kept;
use super::worker::Worker;

/// From one tidying up to the next.
const TIDY_INTERVAL: Duration = Duration::from_secs(3600);
/// Blocks removed in one transaction.
const BLOCKS_AT_ONCE: u64 = 256;
/// Losses less than this apart are one episode.
const EPISODE: Duration = Duration::from_secs(3600);
/// The part of the file's limit that is left free, for what is written between two looks at its size.
const RESERVE_PART: u64 = 16;

/// The limits of the settings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) max_blocks: u64,
    pub(super) max_bytes: u64,
    pub(super) retention: Duration,
}

/// Tells the first of a series from the others.
#[derive(Debug, Default)]
pub(super) struct Episode {
    ends: Option<Monotonic>,
}

impl Episode {
    /// Something of the series happens; whether it is the first.
    pub(super) fn begins(&mut self, now: Monotonic) -> bool {
        let begins = self.ends.is_none_or(|ends| ends <= now);
        self.ends = Some(now + EPISODE);
        begins
    }
}

/// What time it is at the latest, by what the journal held when it was opened: a wall clock that is years ahead for once must not
/// make everything old.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reference {
    /// The newest sample at opening; `None` for an empty journal, which has nothing to lose.
    pub(super) newest: Option<UnixTime>,
    /// When that was.
    pub(super) opened_at: Monotonic,
}

impl Reference {
    fn at(&self, now: Monotonic) -> Option<UnixTime> {
        let uptime = i64::try_from(now.since(self.opened_at).as_millis()).unwrap_or(i64::MAX);
        Some(UnixTime::from_millis(self.newest?.millis().saturating_add(uptime)))
    }
}

/// When to tidy up next.
#[derive(Debug)]
pub(super) struct Tidying {
    pub(super) due: Monotonic,
}

impl Worker {
    /// One step: short, so that requests are answered between two of them.
    pub(super) fn tidy_up(&mut self, clock: &Clock) {
        let more = self.tidy_step(clock).unwrap_or(false);
        self.tidying.due = if more { clock.now } else { clock.now + TIDY_INTERVAL };
    }

    /// Says whether there is more to do; `None` when the disk failed.
    fn tidy_step(&mut self, clock: &Clock) -> Option<bool> {
        let Limits { max_bytes, retention, .. } = self.limits;
        let slowest = self.ledger.slowest().unwrap_or(u64::MAX);
        self.disk.with(clock.now, |store| {
            if store.is_unchecked() {
                return store.check().map(|()| true);
            }
            if store.roll_up()? {
                return Ok(true);
            }
            if let Some(wall) = clock.wall.map(|wall| self.reference.at(clock.now).map_or(wall, |time| time.min(wall)))
            {
                let through = slowest.min(store.rolled_end()?);
                if store.remove_expired(wall.before(retention), through, BLOCKS_AT_ONCE)? == BLOCKS_AT_ONCE {
                    return Ok(true);
                }
                let kept = Kept::within(max_bytes, store.boxes()?);
                if store.trim_rollups(wall, kept)? {
                    return Ok(true);
                }
            }
            store.trim_events()?;
            let (used, all) = store.bytes()?;
            if all > max_bytes && used <= max_bytes {
                // The limit was lowered.
                store.shrink()?;
            }
            Ok(false)
        })
    }

    /// Removes the oldest blocks until the file is within its limits, whether or not every sink has them.
    pub(super) fn enforce_caps(&mut self, clock: &Clock) {
        let now = clock.now;
        let Limits { max_blocks, max_bytes, .. } = self.limits;
        let bytes_allowed = max_bytes - max_bytes / RESERVE_PART;
        let mut rolled = false;
        loop {
            let removed = self.disk.with(now, |store| {
                let over = store.block_count().saturating_sub(max_blocks.max(1));
                let (used, _) = store.bytes()?;
                let remove = if used > bytes_allowed { over.max(1 + store.block_count() / 64) } else { over };
                if remove == 0 || store.block_count() == 0 {
                    return Ok(None);
                }
                if !rolled {
                    // What goes stays in the rollups; and merging blocks, and old rollups, may make all the room that is needed.
                    rolled = true;
                    while store.roll_up()? {}
                    if let Some(wall) = clock.wall {
                        let kept = Kept::within(max_bytes, store.boxes()?);
                        while store.trim_rollups(wall, kept)? {}
                    }
                    return Ok(Some((0, 0)));
                }
                store.remove_oldest(remove.min(BLOCKS_AT_ONCE)).map(Some)
            });
            let Some(Some((end, _))) = removed else { return };
            self.forget_unstamped(end);
            let lost = self.ledger.evict_before(end, false);
            if lost > 0 {
                self.evicted += lost;
                self.write_cursor_file();
                self.report_loss(
                    now,
                    "the journal is full, and the oldest samples were removed before every backend had them",
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_clock_years_ahead_makes_nothing_old() {
        let opened_at = Monotonic::from_nanos(5);
        let an_hour_later = opened_at + Duration::from_secs(3600);
        let reference = |newest: Option<i64>| Reference { newest: newest.map(UnixTime::from_millis), opened_at };
        assert_eq!(reference(Some(1000)).at(an_hour_later), Some(UnixTime::from_millis(3_601_000)));
        assert_eq!(reference(None).at(an_hour_later), None);
    }
}
