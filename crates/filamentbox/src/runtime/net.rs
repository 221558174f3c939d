//! The network thread: one current-thread async runtime with a task per backend and the HTTP server on the socket.
//! Nothing here can delay control; a task that fails is started again, and its state is in the journal.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{sleep, timeout};
use tracing::error;

use super::delivering::Phase;
use super::sink_view::SinkView;
use super::supervisor::progress;
use super::tasks::{Delivery, Task};
use crate::exposition::Names;
use crate::journal::Handle;
use crate::web::access::Caller;
use crate::web::{Daemon, router, server};

/// At stop, what waits gets so long to reach the backends; the rest is sent after the next start.
const LAST_SEND: Duration = Duration::from_secs(3);
/// A task that panicked is started again after so long.
const RESTART_PAUSE: Duration = Duration::from_secs(5);
/// A request that is under way gets so long before its task ends for other settings. Broken off, it is as after a crash.
const LAST_REQUEST: Duration = Duration::from_secs(1);
/// The journal takes other settings within milliseconds, unless its disk hangs; then it takes them later.
const JOURNAL: Duration = Duration::from_secs(1);

/// What is shown of the backends.
pub struct Shown {
    /// Each with its state.
    pub sinks: Vec<SinkView>,
    /// What the points are called in `/metrics`.
    pub names: Names,
}

impl Shown {
    /// The backends of `delivery`; those that are in `before` keep their state.
    pub fn of(delivery: &Delivery, before: Option<&Self>) -> Self {
        let known = |name| before.and_then(|before| before.sinks.iter().find(|view| view.name == name)).cloned();
        let view = |task: &Task| known(task.name).unwrap_or_else(|| SinkView::new(task.name));
        Self { sinks: delivery.tasks.iter().map(view).collect(), names: delivery.names.clone() }
    }
}

/// Everything the network thread works on.
pub struct Net {
    /// The backends' tasks, and what the journal knows of them.
    pub delivery: Delivery,
    /// Other settings.
    pub changes: mpsc::UnboundedReceiver<Delivery>,
    /// The journal does not go by its settings yet.
    pub is_pending: bool,
    /// What the HTTP server shows.
    pub daemon: Daemon,
    /// What it shows of the backends.
    pub shown: watch::Sender<Arc<Shown>>,
    /// The socket it listens on, where there is one.
    pub listener: Option<UnixListener>,
    /// The journal, closed last of all.
    pub journal: Handle,
    /// The way the daemon goes.
    pub phase: watch::Receiver<Phase>,
}

/// A task at work.
struct Running {
    name: &'static str,
    id: Option<Id>,
    abort: Option<AbortHandle>,
    phase: watch::Sender<Phase>,
    /// Ends with the task.
    ended: oneshot::Receiver<()>,
}

/// Binds the socket: owner and group may use it.
///
/// # Errors
/// Those of the operating system, such as a path that is too long.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

impl Net {
    /// Serves and delivers until the phase changes; then sends what waits, and closes the journal.
    pub fn run(&mut self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().on_thread_unpark(progress).build();
        match runtime {
            Ok(runtime) => runtime.block_on(self.serve_and_deliver()),
            Err(problem) => error!("the network side cannot start: {problem}"),
        }
    }

    async fn serve_and_deliver(&mut self) {
        let listener = self.listener.as_ref().map(UnixListener::try_clone);
        match listener.map(|listener| listener.and_then(tokio::net::UnixListener::from_std)) {
            None => {}
            Some(Ok(listener)) => {
                let app = server::catching(router(self.daemon.clone()).layer(axum::Extension(Caller::Socket)));
                tokio::spawn(async move { axum::serve(listener, app).await });
            }
            Some(Err(problem)) => error!("the socket cannot be served: {problem}"),
        }
        self.settle_journal().await;
        let mut deliveries = JoinSet::new();
        let mut running: Vec<Running> =
            self.delivery.tasks.iter().map(|task| self.start(&mut deliveries, task, Duration::ZERO)).collect();
        loop {
            if *self.phase.borrow_and_update() == Phase::Flushing {
                break;
            }
            tokio::select! {
                changed = self.phase.changed() => if changed.is_err() { break },
                Some(new) = self.changes.recv() => self.change(&mut deliveries, &mut running, new).await,
                Some(ended) = deliveries.join_next_with_id() => self.restart(&mut deliveries, &mut running, &ended),
            }
        }
        for task in &running {
            task.phase.send_replace(Phase::Flushing);
        }
        let all = async { while deliveries.join_next().await.is_some() {} };
        if timeout(LAST_SEND, all).await.is_err() {
            error!("not everything could be sent before the stop; it is kept and sent after the next start");
        }
        self.journal.stop().await;
    }

    /// A task has ended. One that ends because of the stop, or for other settings, has not failed.
    fn restart(&self, deliveries: &mut JoinSet<()>, running: &mut [Running], ended: &Result<(Id, ()), JoinError>) {
        let id = match ended {
            Ok((id, ())) => *id,
            Err(failed) => failed.id(),
        };
        let stopping = *self.phase.borrow() == Phase::Flushing;
        let Some(failed) = running.iter_mut().find(|task| !stopping && task.id == Some(id)) else { return };
        let Some(task) = self.delivery.tasks.iter().find(|task| task.name == failed.name) else { return };
        error!(backend = failed.name, "its task has failed and is started again");
        *failed = self.start(deliveries, task, RESTART_PAUSE);
    }

    /// Goes by other settings: ends the tasks that they concern, tells the journal, starts those that are new.
    async fn change(&mut self, deliveries: &mut JoinSet<()>, running: &mut Vec<Running>, new: Delivery) {
        let before = std::mem::replace(&mut self.delivery, new);
        let stays = |name: &str| {
            let of = |delivery: &'_ Delivery| delivery.tasks.iter().position(|task| task.name == name);
            let (old, new) = (of(&before), of(&self.delivery));
            old.zip(new).is_some_and(|(old, new)| before.tasks[old].is_same(&self.delivery.tasks[new]))
        };
        let (stay, go): (Vec<Running>, Vec<Running>) = running.drain(..).partition(|task| stays(task.name));
        end(go).await;
        self.is_pending = true;
        self.settle_journal().await;
        let shown = Shown::of(&self.delivery, Some(&self.shown.borrow()));
        self.shown.send_replace(Arc::new(shown));
        let is_new = |task: &&Task| !stay.iter().any(|running| running.name == task.name);
        let started: Vec<Running> = self
            .delivery
            .tasks
            .iter()
            .filter(is_new)
            .map(|task| self.start(deliveries, task, Duration::ZERO))
            .collect();
        *running = stay.into_iter().chain(started).collect();
    }

    async fn settle_journal(&mut self) {
        if self.is_pending {
            let configured = timeout(JOURNAL, self.journal.configure(self.delivery.journal.clone())).await;
            self.is_pending = !matches!(configured, Ok(Ok(())));
            if self.is_pending {
                error!("the journal does not take its settings yet");
            }
        }
    }

    fn start(&self, deliveries: &mut JoinSet<()>, task: &Task, pause: Duration) -> Running {
        let (phase, phase_receiver) = watch::channel(Phase::Running);
        let (working, ended) = oneshot::channel::<()>();
        let view = self.shown.borrow().sinks.iter().find(|view| view.name == task.name).cloned();
        let view = view.unwrap_or_else(|| SinkView::new(task.name));
        let mut running = Running { name: task.name, id: None, abort: None, phase, ended };
        match task.make(view, phase_receiver) {
            Ok(delivering) => {
                let started = deliveries.spawn(async move {
                    let _working = working;
                    sleep(pause).await;
                    delivering.run().await;
                });
                (running.id, running.abort) = (Some(started.id()), Some(started));
            }
            Err(problem) => error!(backend = task.name, "cannot be opened: {problem}"),
        }
        running
    }
}

/// Ends tasks; what they have read and not settled waits on.
async fn end(mut tasks: Vec<Running>) {
    for task in &tasks {
        task.phase.send_replace(Phase::Ending);
    }
    if timeout(LAST_REQUEST, ended(&mut tasks)).await.is_err() {
        tasks.iter().filter_map(|task| task.abort.as_ref()).for_each(AbortHandle::abort);
        ended(&mut tasks).await;
    }
}

/// Waits until all of `tasks` have ended; those that have are gone from it.
async fn ended(tasks: &mut Vec<Running>) {
    while let Some(task) = tasks.last_mut() {
        let _ = (&mut task.ended).await;
        tasks.pop();
    }
}
