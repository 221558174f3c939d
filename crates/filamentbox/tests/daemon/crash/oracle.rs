//! What was promised, and whether what a crash has left keeps it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use filamentbox::journal::{Chosen, Verdict};
use filamentbox_core::config::Durability;
use filamentbox_core::sample::Point;
use filamentbox_core::time::UnixTime;

use super::workload::{JournalThread, Place, Running, SINKS, options, point};

/// What the workload was told by the journal before it ended.
#[derive(Clone, Default, Debug)]
pub(super) struct Story {
    /// So many samples were taken.
    pub(super) taken: u64,
    /// So many of them were on disk.
    pub(super) sealed: u64,
    /// The events that were on disk.
    pub(super) events: BTreeSet<u64>,
    pub(super) sinks: BTreeMap<String, Deliveries>,
    /// A stop was under way.
    pub(super) stopping: bool,
    /// The workload came to its end.
    pub(super) ended: bool,
    /// What people were told: events of the journal's own, and why it could not be opened.
    pub(super) said: Vec<String>,
}

/// What one backend has.
#[derive(Clone, Default, Debug)]
pub(super) struct Deliveries {
    /// Settled, and the journal said so.
    settled: BTreeSet<u64>,
    /// The range whose settling has begun.
    under_way: Option<Range<u64>>,
    /// What was under way when the program was killed.
    unknown: BTreeSet<u64>,
    /// Refused points, those under way included.
    letters: BTreeSet<u64>,
}

impl Deliveries {
    fn may_be_settled(&self, number: u64) -> bool {
        let is_under_way = self.under_way.as_ref().is_some_and(|range| range.contains(&number));
        self.settled.contains(&number) || self.unknown.contains(&number) || is_under_way
    }
}

impl Story {
    /// The story that a run has left.
    pub(super) fn read(place: &Place) -> Self {
        let mut story = Self::default();
        std::fs::read_to_string(place.story()).unwrap_or_default().lines().for_each(|line| story.hear(line));
        story
    }

    /// The next line.
    pub(super) fn hear(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let number = || rest.parse::<u64>().expect("a number");
        match word {
            "taken" => self.taken = number(),
            "sealed" => self.sealed = self.sealed.max(number()),
            "event" => drop(self.events.insert(number())),
            "said" => self.said.push(rest.to_owned()),
            "opened" => self.stopping = false,
            "stopping" => self.stopping = true,
            "end" => self.ended = true,
            "settling" => {
                let mut words = rest.split_whitespace();
                let deliveries = self.sinks.entry(words.next().expect("a sink").to_owned()).or_default();
                let mut numbers = words.map(|word| word.parse::<u64>().expect("a number"));
                let (start, end) = (numbers.next().expect("a start"), numbers.next().expect("an end"));
                deliveries.letters.extend(numbers);
                deliveries.unknown.extend(deliveries.under_way.replace(start..end).into_iter().flatten());
            }
            "settled" => {
                let deliveries = self.sinks.entry(rest.to_owned()).or_default();
                let range = deliveries.under_way.take().expect("it was under way");
                deliveries.settled.extend(range);
            }
            other => panic!("the story says {other:?}"),
        }
    }
}

/// What is left besides the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Left {
    /// The crash log: the program was killed.
    CrashLog,
    /// Nothing: the power was cut.
    Disk,
}

/// Opens the journal at `place` and compares it with the story; then goes on with it. Says what is wrong.
pub(super) fn check(place: &Place, durability: Durability, story: &Story, left: Left) -> Result<(), String> {
    if left == Left::Disk {
        for entry in std::fs::read_dir(place.crash_logs()).expect("a folder") {
            std::fs::remove_file(entry.expect("an entry").path()).expect("a file of ours");
        }
    }
    let number = story.taken + 1;
    let thread = JournalThread::start();
    let mut journal = Running::open(&thread, options(place, durability, number), number)
        .map_err(|error| format!("it does not open: {error}"))?;
    let checked = compare(&mut journal, story, left);
    let went_on = checked.and_then(|sampled| go_on(&mut journal, sampled));
    let ended = journal.stop(&thread) && thread.end();
    went_on?;
    ensure(ended, || "the journal's thread panicked".to_owned())?;
    ensure(damaged_files(place) == 0, || "the journal's file was damaged".to_owned())
}

fn damaged_files(place: &Place) -> usize {
    let names = std::fs::read_dir(place.disk()).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    names.filter(|name| name.to_string_lossy().contains("corrupt")).count()
}

fn ensure(is_so: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if is_so { Ok(()) } else { Err(what()) }
}

/// Says how many samples there are.
fn compare(journal: &mut Running, story: &Story, left: Left) -> Result<u64, String> {
    let recovery = &journal.recovery;
    ensure(recovery.salvaged.is_none(), || format!("the file was damaged: {recovery:?}"))?;
    ensure(recovery.lost == 0 && recovery.damaged_blocks == 0, || format!("samples are lost: {recovery:?}"))?;
    let sampled = journal.ask(|handle| async move { handle.statistics().await }).sampled;
    let least = if left == Left::CrashLog || story.ended { story.taken } else { story.sealed };
    ensure((least..=story.taken + 1).contains(&sampled), || format!("{sampled} samples, of {least} at least"))?;

    let history = history(journal);
    let expected: Vec<Point> = (0..sampled).map(point).collect();
    ensure(history == expected, || format!("the history is not the {sampled} samples: {history:?}"))?;

    let said = journal.ask(|handle| async move { handle.events(1000).await });
    for event in &story.events {
        let begin = format!("event {event} ");
        let count = said.iter().filter(|(_, said)| said.text.starts_with(&begin)).count();
        ensure(count == 1, || format!("event {event} is there {count} times"))?;
    }
    for sink in SINKS {
        compare_sink(journal, story, left, sink, sampled).map_err(|wrong| format!("{sink}: {wrong}"))?;
    }
    Ok(sampled)
}

fn history(journal: &mut Running) -> Vec<Point> {
    journal.ask(|handle| async move {
        let all = UnixTime::from_millis(0)..UnixTime::from_millis(i64::MAX);
        let mut chunks = handle.export(all, None).await?;
        let mut points = Vec::new();
        while let Some(chunk) = chunks.recv().await {
            points.extend(chunk?);
        }
        Ok(points)
    })
}

fn compare_sink(
    journal: &mut Running,
    story: &Story,
    left: Left,
    sink: &'static str,
    sampled: u64,
) -> Result<(), String> {
    let deliveries = story.sinks.get(sink).cloned().unwrap_or_default();
    let waiting = unsettled(journal, sink)?;
    if let Some(number) = (0..sampled).find(|number| !deliveries.may_be_settled(*number) && !waiting.contains(number)) {
        return Err(format!("number {number} was not delivered and does not wait"));
    }
    let again = waiting.intersection(&deliveries.settled).next();
    ensure(again.is_none() || left == Left::Disk && !story.ended, || {
        format!("number {again:?} was settled and waits")
    })?;

    let account = journal.ask(|handle| async move { handle.accounts().await });
    let account = account.into_iter().find(|account| account.sink == sink).ok_or("it has no account")?;
    let parts = [account.delivered, account.waiting, account.dead_letter, account.superseded, account.evicted];
    let is_right = account.sampled == sampled
        && account.waiting == waiting.len() as u64
        && account.superseded + account.evicted == 0
        && parts.iter().sum::<u64>() == sampled;
    ensure(is_right, || format!("the books of {sampled} samples: {account:?}"))?;

    let chosen = Chosen { sink: Some(sink.to_owned()), id: None };
    let letters = journal.ask(|handle| {
        let chosen = chosen.clone();
        async move { handle.letters(chosen, false, 1000).await }
    });
    let letters: Vec<Point> = letters.into_iter().map(|letter| letter.point).collect();
    let expected: BTreeSet<u64> = (0..sampled).filter(|number| !waiting.contains(number)).collect();
    let expected: BTreeSet<u64> = expected.intersection(&deliveries.letters).copied().collect();
    // A refused point is on disk before the journal says that it is settled, or, while the disk fails, sent again.
    let promised: BTreeSet<u64> = deliveries.letters.intersection(&deliveries.settled).copied().collect();
    ensure(promised.is_subset(&expected) || !story.said.is_empty(), || {
        format!("of {promised:?} only {expected:?} are dead letters")
    })?;
    let expected: Vec<Point> = expected.into_iter().map(point).collect();
    ensure(sorted(letters.clone()) == expected, || format!("dead letters {letters:?}, and not {expected:?}"))?;
    ensure(account.dead_letter == expected.len() as u64, || format!("the books of dead letters: {account:?}"))
}

fn sorted(mut points: Vec<Point>) -> Vec<Point> {
    points.sort_by_key(|point| point.at);
    points
}

/// Everything that the backend would be sent, after checking that each point is what it should be and in its place.
fn unsettled(journal: &mut Running, sink: &'static str) -> Result<BTreeSet<u64>, String> {
    let (mut numbers, mut from) = (BTreeSet::new(), None);
    loop {
        let batch = journal.ask(|handle| async move { handle.read(sink, from, 7).await });
        if batch.points.is_empty() {
            return Ok(numbers);
        }
        let expected: Vec<Point> = batch.range.clone().map(point).collect();
        ensure(batch.points == expected, || format!("{:?} holds {:?}", batch.range, batch.points))?;
        let is_new = from.is_none_or(|from| batch.range.start >= from);
        ensure(is_new, || format!("{:?} comes twice", batch.range))?;
        from = Some(batch.range.end);
        numbers.extend(batch.range);
    }
}

/// The next samples come, everything is delivered, and the books are closed.
fn go_on(journal: &mut Running, sampled: u64) -> Result<(), String> {
    for _ in 0..2 {
        journal.sample();
    }
    let sampled = sampled + 2;
    for sink in SINKS {
        loop {
            let batch = journal.ask(|handle| async move { handle.read(sink, None, 50).await });
            let delivered = batch.points.len() as u64;
            if delivered == 0 {
                break;
            }
            let range = batch.range;
            journal.ask(|handle| {
                let (range, verdict) = (range.clone(), Verdict { delivered, ..Verdict::default() });
                async move { handle.settle(sink, range, verdict).await }
            });
        }
    }
    for account in journal.ask(|handle| async move { handle.accounts().await }) {
        let is_right = account.sampled == sampled
            && account.waiting + account.evicted == 0
            && account.delivered + account.dead_letter == sampled;
        ensure(is_right, || format!("afterwards, of {sampled} samples: {account:?}"))?;
    }
    Ok(())
}
