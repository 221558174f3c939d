//! The state as it changes, for everybody who listens: one publisher looks for changes and writes the JSON once for each, however many listen,
//! and only while somebody does. With nobody there, there is no publisher and no wake-up.
//!
//! **What a change is**: whatever a person sees, except ages and the time since the start. A reading is one, with what control makes of
//! it. What happens within [`GAP`] is one change. The counts of the backends come within a second, as the journal is not asked more often.
//!
//! A listener holds a place in a `watch`: one that is slow finds the latest state when it comes back, and never a queue.

use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::Poll;
use std::time::Duration;

use axum::body::Bytes;
use filamentbox_core::sample::BoxName;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::Daemon;
use super::books::Books;
use super::routes;
use crate::journal::Gone;
use crate::runtime::control::Snapshots;
use crate::runtime::delivering::Phase;
use crate::runtime::net::Shown;
use crate::runtime::reloading::View;
use crate::runtime::sink_view::SinkStatus;
use crate::runtime::supervisor::{ThreadState, threads};

/// Without a change, the state is said again after so long: whoever listens knows that the daemon lives.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// From one event to the next at least; a person sees no faster, and simulated time can make thousands of changes a second.
const GAP: Duration = Duration::from_millis(50);
/// The journal is not asked more often.
const JOURNAL_PERIOD: Duration = Duration::from_secs(1);
/// The journal answers in milliseconds. A change is not held back for longer; the last answer is shown instead.
const JOURNAL_PATIENCE: Duration = Duration::from_millis(100);

/// The state at one moment.
struct Seen {
    snapshots: Snapshots,
    backends: Vec<SinkStatus>,
    books: Books,
    settings: Arc<View>,
    threads: Vec<ThreadState>,
}

/// One event.
pub(super) struct Frame {
    id: u64,
    seen: Seen,
    /// Its text for each box.
    texts: Vec<(BoxName, Bytes)>,
}

impl Seen {
    fn new(daemon: &Daemon, shown: &Shown, books: Books) -> Self {
        let backend = |status: SinkStatus| SinkStatus { waiting: 0, ..status };
        Self {
            snapshots: daemon.snapshots.borrow().clone(),
            backends: shown.sinks.iter().map(|view| backend(view.status())).collect(),
            books,
            settings: daemon.settings.view(),
            threads: threads(),
        }
    }

    /// Whether a person would see the same in what needs no question to the journal.
    fn looks_like(&self, other: &Self) -> bool {
        let settings = |view: &View| (view.problems.clone(), view.restart_needed.clone());
        let thread = |thread: &ThreadState| (thread.name.clone(), thread.is_running, thread.restarts);
        self.snapshots == other.snapshots
            && settings(&self.settings) == settings(&other.settings)
            && self.threads.iter().map(thread).eq(other.threads.iter().map(thread))
    }

    fn backends_look_like(&self, other: &Self) -> bool {
        self.backends == other.backends && self.books.looks_like(&other.books)
    }

    /// The event about the box of this place in the list.
    fn text(&self, daemon: &Daemon, index: usize, id: u64) -> Bytes {
        let state = routes::whole_state(daemon, &self.snapshots[index], &self.books);
        // Numbers and texts by name: there is nothing that could fail.
        let json = serde_json::to_string(&state).unwrap_or_default();
        Bytes::from(format!("id: {id}\ndata: {json}\n\n"))
    }

    fn frame(self, daemon: &Daemon, id: u64) -> Frame {
        let text = |index: usize| (self.snapshots[index].name.clone(), self.text(daemon, index, id));
        let texts = (0..self.snapshots.len()).map(text).collect();
        Frame { id, texts, seen: self }
    }
}

impl Frame {
    /// The event about a box.
    pub(super) fn of(&self, box_name: &BoxName) -> Option<Bytes> {
        self.texts.iter().find(|(name, _)| name == box_name).map(|(_, text)| text.clone())
    }

    /// The same state with the ages of now, for somebody who comes later.
    pub(super) fn of_now(&self, daemon: &Daemon, box_name: &BoxName) -> Option<Bytes> {
        let index = self.seen.snapshots.iter().position(|snapshot| snapshot.name == *box_name)?;
        Some(self.seen.text(daemon, index, self.id))
    }
}

/// The latest event; `None` until there is one.
type Latest = watch::Sender<Option<Arc<Frame>>>;
/// The publisher's end, while there is a publisher.
type Published = Arc<Mutex<Weak<Latest>>>;

/// Where to listen. One a server, as its publisher lives and ends with the server's runtime.
#[derive(Clone, Default)]
pub(super) struct Live {
    published: Published,
}

impl Live {
    /// Listens; the first one brings the publisher to life. The receiver is closed when the daemon stops, or the publisher fails: then
    /// listening again helps.
    pub(super) fn listen(&self, daemon: &Daemon) -> watch::Receiver<Option<Arc<Frame>>> {
        let mut published = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(latest) = published.upgrade() {
            return latest.subscribe();
        }
        let (latest, receiver) = watch::channel(None);
        let latest = Arc::new(latest);
        *published = Arc::downgrade(&latest);
        tokio::spawn(publish(daemon.clone(), latest, self.published.clone()));
        receiver
    }
}

/// Publishes changes until nobody listens any more, or the daemon stops.
async fn publish(daemon: Daemon, latest: Arc<Latest>, published: Published) {
    let (mut phase, mut changes) = (daemon.phase.clone(), Changes::new(&daemon));
    let stopping = async { drop(phase.wait_for(|phase| *phase != Phase::Running).await) };
    let mut stopping = std::pin::pin!(stopping);
    let mut publisher = Publisher::new(&daemon);
    loop {
        let look_again_at = publisher.look(&changes.shown, &latest).await;
        tokio::select! {
            () = latest.closed() => {
                // Whoever comes now finds either this publisher at work or none.
                let _published = published.lock().unwrap_or_else(PoisonError::into_inner);
                if latest.receiver_count() == 0 {
                    return drop(latest);
                }
            }
            () = &mut stopping => return,
            is_open = changes.next() => if !is_open { return },
            () = sleep_until(look_again_at) => {}
        }
        tokio::select! {
            () = sleep_until(publisher.published_at + GAP) => {}
            () = &mut stopping => return,
        }
    }
}

/// Everything that tells when it changes.
struct Changes {
    snapshots: watch::Receiver<Snapshots>,
    settings: watch::Receiver<Arc<View>>,
    shows: watch::Receiver<Arc<Shown>>,
    /// Held, so that the backends' channels stay open.
    shown: Arc<Shown>,
    backends: Vec<watch::Receiver<SinkStatus>>,
}

impl Changes {
    fn new(daemon: &Daemon) -> Self {
        let mut shows = daemon.shown.clone();
        let shown = shows.borrow_and_update().clone();
        let backends = shown.sinks.iter().map(|view| view.changes()).collect();
        Self { snapshots: daemon.snapshots.clone(), settings: daemon.settings.changes(), shows, shown, backends }
    }

    /// Waits for a change; `false` when the daemon is at its end.
    async fn next(&mut self) -> bool {
        tokio::select! {
            changed = self.snapshots.changed() => return changed.is_ok(),
            changed = self.settings.changed() => return changed.is_ok(),
            () = any(&mut self.backends) => return true,
            changed = self.shows.changed() => if changed.is_err() { return false },
        }
        self.shown = self.shows.borrow_and_update().clone();
        self.backends = self.shown.sinks.iter().map(|view| view.changes()).collect();
        true
    }
}

/// Waits until one of them changes.
async fn any(receivers: &mut [watch::Receiver<SinkStatus>]) {
    if receivers.is_empty() {
        return pending().await;
    }
    let mut changes: Vec<_> = receivers.iter_mut().map(|receiver| Box::pin(receiver.changed())).collect();
    poll_fn(|context| {
        let changed = changes.iter_mut().any(|change| change.as_mut().poll(context).is_ready());
        if changed { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

type Asking = Pin<Box<dyn Future<Output = Result<Books, Gone>> + Send>>;

/// What was published, and what the journal said.
struct Publisher<'a> {
    daemon: &'a Daemon,
    id: u64,
    published_at: Instant,
    books: Books,
    /// A question that was not answered in time. There is one at most, however long the disk hangs.
    asking: Option<Asking>,
    asked_at: Option<Instant>,
    /// The journal is to be asked as soon as it may be.
    owes_question: bool,
}

impl<'a> Publisher<'a> {
    fn new(daemon: &'a Daemon) -> Self {
        Self {
            daemon,
            id: 0,
            published_at: Instant::now(),
            books: Books::unknown(),
            asking: None,
            asked_at: None,
            owes_question: true,
        }
    }

    /// Publishes what has changed, if it has. Says when to look again without a change.
    async fn look(&mut self, shown: &Shown, latest: &Latest) -> Instant {
        let before = latest.borrow().clone();
        let before = before.as_deref().map(|frame| &frame.seen);
        let seen = Seen::new(self.daemon, shown, self.books.clone());
        let is_due = self.published_at + KEEP_ALIVE <= Instant::now();
        let has_changed = before.is_none_or(|before| !seen.looks_like(before));
        self.owes_question |= is_due || has_changed || before.is_none_or(|before| !seen.backends_look_like(before));
        if self.owes_question && self.question_at() <= Instant::now() {
            self.ask().await;
        }
        let seen = Seen { books: self.books.clone(), ..seen };
        // The counts of a backend and its state belong together.
        let has_news = !self.owes_question && before.is_none_or(|before| !seen.backends_look_like(before));
        if is_due || has_changed || has_news {
            self.id += 1;
            self.published_at = Instant::now();
            latest.send_replace(Some(Arc::new(seen.frame(self.daemon, self.id))));
        }
        let keep_alive_at = self.published_at + KEEP_ALIVE;
        if self.owes_question { keep_alive_at.min(self.question_at()) } else { keep_alive_at }
    }

    fn question_at(&self) -> Instant {
        self.asked_at.map_or_else(Instant::now, |asked_at| asked_at + JOURNAL_PERIOD)
    }

    async fn ask(&mut self) {
        self.asked_at = Some(Instant::now());
        // A journal that has not answered for a second is not waited for again.
        let patience = if self.asking.is_some() { Duration::ZERO } else { JOURNAL_PATIENCE };
        let daemon = self.daemon.clone();
        let asking = self.asking.get_or_insert_with(|| Box::pin(async move { Books::ask(&daemon).await }));
        match timeout(patience, asking).await {
            Ok(Ok(books)) => (self.books, self.asking, self.owes_question) = (books, None, false),
            Ok(Err(gone)) => {
                self.asking = None;
                self.books.statistics.disk_error = Some(gone.to_string());
                self.owes_question = false;
            }
            // Slow once is not worth a word.
            Err(_) if patience.is_zero() => self.books.statistics.disk_error = Some(Gone.to_string()),
            Err(_) => {}
        }
    }
}
