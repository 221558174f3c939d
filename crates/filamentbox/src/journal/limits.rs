//! What is kept how long: rollups first, then the raw samples' time, and the file's limits whatever happens.

use std::time::Duration;

use filamentbox_core::event::Severity;
use filamentbox_core::time::{Clock, Monotonic, UnixTime};

use super::store::Kept;
use super::worker::Worker;

/// From one tidying up to the next.
const TIDY_INTERVAL: Duration = Duration::from_secs(3600);
/// Blocks removed in one transaction.
const BLOCKS_AT_ONCE: u64 = 256;
/// Losses less than this apart are one episode: what happens at every tidying up is one.
const EPISODE: Duration = Duration::from_secs(2 * 3600);
/// The part of the file's limit that is left free, for what is written between two looks at its size.
const RESERVE_PART: u64 = 16;

/// So much of the disk is left to others, or a twentieth if that is less: history that every sink has does not grow into it.
const RESERVE: u64 = 100 << 20;
/// What the file may grow by between two looks at its size.
const GROWTH: u64 = 64 << 10;
/// From one look at the disk's room to the next.
const ROOM_INTERVAL: Duration = Duration::from_secs(60);

/// The limits of the settings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) max_blocks: u64,
    pub(super) max_bytes: u64,
    pub(super) retention: Duration,
    /// A sample waits so long for a sink at most.
    pub(super) max_age: Duration,
}

/// Whether the disk is nearly full.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// When to look again.
    pub(super) look_at: Monotonic,
    pub(super) is_short: bool,
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
        let reference = self.reference.at(clock.now);
        let wall = clock.wall.map(|wall| reference.map_or(wall, |time| time.min(wall)));
        if let Some(wall) = wall {
            // Without a sink nothing waits.
            let _ = self.evict_too_old(wall, clock);
        }
        // As far as the cursors are on disk: after a power cut what lies behind them is read again.
        let slowest = self.ledger.slowest_saved().unwrap_or(u64::MAX);
        self.disk.with(clock.now, |store| {
            if store.is_unchecked() {
                return store.check().map(|()| true);
            }
            if store.roll_up()? {
                return Ok(true);
            }
            if let Some(wall) = wall {
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

    /// Makes room until the file is within its limits: what every sink has goes first; of what waits, the oldest is thinned when the file is
    /// four fifths full of it; and at the limit the oldest go, whether or not every sink has them.
    pub(super) fn enforce_caps(&mut self, clock: &Clock) {
        self.look_at_room(clock.now);
        let slowest = self.ledger.slowest();
        self.thinning_told = self.thinning_told.filter(|thinned| slowest.is_some_and(|slowest| slowest < *thinned));
        let mut rolled = false;
        while self.enforce_step(&mut rolled, clock).unwrap_or(false) {}
    }

    /// Says whether to go on; `None` when the disk failed.
    fn enforce_step(&mut self, rolled: &mut bool, clock: &Clock) -> Option<bool> {
        let Limits { max_blocks, max_bytes, .. } = self.limits;
        let (blocks, (used, all), oldest) =
            self.disk.with(clock.now, |store| Ok((store.block_count(), store.bytes()?, store.oldest()?)))?;
        let Some(oldest) = oldest else { return Some(false) };
        let all_have_it = self.ledger.slowest_saved().is_none_or(|slowest| oldest.end <= slowest);
        if !all_have_it && (used > max_bytes / 5 * 4 || blocks > max_blocks / 5 * 4) && self.thin(clock)? {
            return Some(true);
        }
        let over = blocks.saturating_sub(max_blocks.max(1));
        let mut bytes_allowed = max_bytes - max_bytes / RESERVE_PART;
        if all_have_it && self.room.is_short {
            bytes_allowed = bytes_allowed.min(all.saturating_sub(GROWTH));
        }
        let remove = if used > bytes_allowed { over.max(1 + blocks / 64) } else { over };
        if remove == 0 {
            return Some(false);
        }
        if std::mem::replace(rolled, true) {
            return self.evict(remove.min(BLOCKS_AT_ONCE), clock).map(|()| true);
        }
        // What goes stays in the rollups; and merging blocks, and old rollups, may make all the room that is needed.
        self.disk.with(clock.now, |store| {
            while store.roll_up()? {}
            if let Some(wall) = clock.wall {
                let kept = Kept::within(max_bytes, store.boxes()?);
                while store.trim_rollups(wall, kept)? {}
            }
            Ok(true)
        })
    }

    /// Removes the oldest `count` blocks.
    fn evict(&mut self, count: u64, clock: &Clock) -> Option<()> {
        let gone = self.disk.with(clock.now, |store| store.oldest_blocks(count))?;
        let present: Vec<_> = gone.iter().map(|at| at.first..at.end).collect();
        let mut ledger = self.ledger.clone();
        let lost = ledger.evict_before(present.last().map_or(0, |last| last.end), &present);
        self.change_blocks(&gone, &[], None, ledger, clock)?;
        self.forget_unstamped(present.last().map_or(0, |last| last.end));
        self.evicted += lost;
        if lost > 0 {
            self.report_loss(
                clock.now,
                "the journal is full, and the oldest samples were removed before every backend had them",
            );
        }
        Some(())
    }

    /// Thins the oldest samples that wait and are not thinned yet, some blocks of them. Says whether there were any.
    fn thin(&mut self, clock: &Clock) -> Option<bool> {
        let ledger = &self.ledger;
        let planned = self.disk.with(clock.now, |store| store.plan_thinning(|range| ledger.may_thin(range)))?;
        let Some(thinning) = planned else { return Some(false) };
        let mut ledger = self.ledger.clone();
        let lost: u64 = thinning.losses.iter().map(|(range, lost)| ledger.thin(range, *lost)).sum();
        self.change_blocks(&thinning.gone, &thinning.come, Some(thinning.through), ledger, clock)?;
        self.evicted += lost;
        if lost > 0 && self.thinning_told.replace(thinning.through).is_none() {
            let text = format!(
                "the journal is four fifths full; waiting samples from before {} are thinned to one a minute",
                thinning.newest
            );
            tracing::error!("{text}");
            self.record(Severity::Error, text);
        }
        Some(true)
    }

    /// Samples that have waited too long: the sinks go on behind them. As history they stay.
    fn evict_too_old(&mut self, wall: UnixTime, clock: &Clock) -> Option<()> {
        let oldest = wall.before(self.limits.max_age);
        let slowest = self.ledger.slowest()?;
        let (end, present) = self.disk.with(clock.now, |store| {
            let end = store.first_since(slowest, oldest)?;
            Ok((end, store.present(&(slowest..end))?))
        })?;
        if end <= slowest {
            return Some(());
        }
        let mut ledger = self.ledger.clone();
        let lost = ledger.evict_before(end, &present);
        self.change_blocks(&[], &[], None, ledger, clock)?;
        self.evicted += lost;
        if lost > 0 {
            self.report_loss(
                clock.now,
                "samples have waited for a backend longer than persistence.max_age_days, and were given up",
            );
        }
        Some(())
    }

    /// Whether the disk has little room left; at most once a minute.
    fn look_at_room(&mut self, now: Monotonic) {
        if self.room.look_at > now {
            return;
        }
        self.room.look_at = now + ROOM_INTERVAL;
        self.room.is_short = self.disk.room().is_some_and(|(free, all)| free < RESERVE.min(all / 20));
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
