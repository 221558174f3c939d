//! The network thread: one current-thread async runtime with a task per backend and the HTTP server on the socket.
//! Nothing here can delay control; a task that fails is started again, and its state is in the journal.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use filamentbox_core::config::ConfigError;
use tokio::sync::watch;
use tokio::task::{Id, JoinSet};
use tokio::time::{sleep, timeout};
use tracing::error;

use super::delivering::{Delivering, Phase};
use super::sink_view::SinkView;
use crate::journal::Handle;
use crate::web::{Daemon, router};

/// At stop, what waits gets so long to reach the backends; the rest is sent after the next start.
const LAST_SEND: Duration = Duration::from_secs(3);
/// A task that panicked is started again after so long.
const RESTART_PAUSE: Duration = Duration::from_secs(5);

/// Makes a backend's task, afresh for each start.
pub struct MakeTask {
    /// What is shown of it.
    pub view: SinkView,
    /// Opens the backend.
    pub make: Box<dyn Fn() -> Result<Delivering, ConfigError> + Send>,
}

/// Everything the network thread works on.
pub struct Net {
    /// The backends' tasks.
    pub tasks: Vec<MakeTask>,
    /// What the HTTP server shows.
    pub daemon: Daemon,
    /// The socket it listens on, where there is one.
    pub listener: Option<UnixListener>,
    /// The journal, closed last of all.
    pub journal: Handle,
    /// The way the daemon goes.
    pub phase: watch::Receiver<Phase>,
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
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
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
                let app = router(self.daemon.clone());
                tokio::spawn(async move { axum::serve(listener, app).await });
            }
            Some(Err(problem)) => error!("the socket cannot be served: {problem}"),
        }
        let mut deliveries = JoinSet::new();
        let mut ids: Vec<Option<Id>> =
            self.tasks.iter().map(|task| spawn_task(&mut deliveries, task, Duration::ZERO)).collect();
        loop {
            if *self.phase.borrow_and_update() == Phase::Flushing {
                break;
            }
            tokio::select! {
                changed = self.phase.changed() => if changed.is_err() { break },
                Some(ended) = deliveries.join_next_with_id() => {
                    let id = match ended {
                        Ok((id, ())) => id,
                        Err(failed) => failed.id(),
                    };
                    // A task that ends because of the stop has not failed.
                    let stopping = *self.phase.borrow() == Phase::Flushing;
                    if let Some(index) = ids.iter().position(|known| !stopping && *known == Some(id)) {
                        error!(backend = self.tasks[index].view.name, "its task has failed and is started again");
                        ids[index] = spawn_task(&mut deliveries, &self.tasks[index], RESTART_PAUSE);
                    }
                }
            }
        }
        let all = async { while deliveries.join_next().await.is_some() {} };
        if timeout(LAST_SEND, all).await.is_err() {
            error!("not everything could be sent before the stop; it is kept and sent after the next start");
        }
        self.journal.stop().await;
    }
}

fn spawn_task(deliveries: &mut JoinSet<()>, task: &MakeTask, pause: Duration) -> Option<Id> {
    match (task.make)() {
        Ok(delivering) => {
            let started = deliveries.spawn(async move {
                sleep(pause).await;
                delivering.run().await;
            });
            Some(started.id())
        }
        Err(problem) => {
            error!(backend = task.view.name, "cannot be opened: {problem}");
            None
        }
    }
}
