//! Threads with a name and a fate, the notices that reach the main thread, and what is known of each thread.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle, park_timeout};
use std::time::Duration;

use filamentbox_core::time::Monotonic;
use tracing::error;

use super::clock::boottime;

/// A thread that panicked starts again after so long.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// What reaches the main thread.
#[derive(Debug)]
pub enum Notice {
    /// A signal.
    Signal(i32),
    /// A thread has ended; with `panicked`, it must not have.
    Ended {
        /// The thread's name.
        thread: String,
        /// Whether it panicked.
        panicked: bool,
    },
}

/// What happens when a thread panics.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It starts again.
    Restart,
    /// The process ends, which releases the outputs.
    EndProcess,
}

/// What is known of a thread. Written by itself, read by whoever shows it; nobody waits.
#[derive(Debug, Default)]
struct Vitals {
    name: String,
    is_running: AtomicBool,
    restarts: AtomicU32,
    /// Nanoseconds since boot.
    progress: AtomicU64,
}

/// A thread as it is now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ThreadState {
    /// Its name.
    pub name: String,
    /// Whether it runs; a thread that ends has done its work.
    pub is_running: bool,
    /// How often it panicked and was started again.
    pub restarts: u32,
    /// When it last had something to do, in real time.
    pub last_progress: Monotonic,
}

/// The threads of this process by name, as the operating system has them: a process has one daemon. A thread that takes the place of one
/// that has ended takes its place here too, so the list does not grow.
static THREADS: Mutex<Vec<Arc<Vitals>>> = Mutex::new(Vec::new());

thread_local! {
    static OWN: RefCell<Option<Arc<Vitals>>> = const { RefCell::new(None) };
}

/// Every thread, in the order of their starts.
pub fn threads() -> Vec<ThreadState> {
    let threads = THREADS.lock().unwrap_or_else(PoisonError::into_inner);
    let state = |vitals: &Arc<Vitals>| ThreadState {
        name: vitals.name.clone(),
        is_running: vitals.is_running.load(Ordering::Relaxed),
        restarts: vitals.restarts.load(Ordering::Relaxed),
        last_progress: Monotonic::from_nanos(vitals.progress.load(Ordering::Relaxed)),
    };
    threads.iter().map(state).collect()
}

/// The calling thread has something to do and does it. Two loads and a store: nothing to wait for.
pub fn progress() {
    OWN.with_borrow(|own| {
        if let Some(vitals) = own {
            vitals.progress.store(boottime().nanos(), Ordering::Relaxed);
        }
    });
}

/// The calling thread runs, under this name.
fn register(name: &str) -> Arc<Vitals> {
    let vitals = Arc::new(Vitals { name: name.to_owned(), is_running: true.into(), ..Vitals::default() });
    let mut threads = THREADS.lock().unwrap_or_else(PoisonError::into_inner);
    match threads.iter_mut().find(|known| known.name == name) {
        Some(known) => *known = vitals.clone(),
        None => threads.push(vitals.clone()),
    }
    drop(threads);
    OWN.set(Some(vitals.clone()));
    progress();
    vitals
}

/// Starts a named thread. Its end, if it ends, is told to the main thread.
///
/// # Errors
/// When the operating system gives no thread.
pub fn spawn(
    name: &str,
    fate: Fate,
    notices: Sender<Notice>,
    mut body: impl FnMut() + Send + 'static,
) -> std::io::Result<JoinHandle<()>> {
    let thread = name.to_owned();
    Builder::new().name(name.to_owned()).spawn(move || {
        let vitals = register(&thread);
        loop {
            let panicked = catch_unwind(AssertUnwindSafe(&mut body)).is_err();
            if !panicked || fate == Fate::EndProcess {
                vitals.is_running.store(false, Ordering::Relaxed);
                let _ = notices.send(Notice::Ended { thread, panicked });
                return;
            }
            vitals.restarts.fetch_add(1, Ordering::Relaxed);
            error!(thread, "panicked and is started again");
            park_timeout(RESTART_PAUSE);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn a_thread_that_panics_starts_again_until_it_ends() {
        let (sender, notices) = channel();
        let mut starts = 0;
        let body = move || {
            starts += 1;
            assert!(starts > 1, "the first start panics");
        };
        let thread = spawn("starts-again", Fate::Restart, sender, body).expect("a thread");
        thread.join().expect("the wrapper does not panic");
        assert!(matches!(notices.recv(), Ok(Notice::Ended { panicked: false, .. })));
        let state = threads().into_iter().find(|state| state.name == "starts-again").expect("it is known");
        assert_eq!((state.is_running, state.restarts), (false, 1));
    }

    #[test]
    fn a_thread_that_follows_another_takes_its_place() {
        let (sender, _notices) = channel();
        let started_at = boottime();
        for _ in 0..3 {
            let thread = spawn("follows", Fate::Restart, sender.clone(), progress).expect("a thread");
            thread.join().expect("the wrapper does not panic");
        }
        let states: Vec<_> = threads().into_iter().filter(|state| state.name == "follows").collect();
        assert!(matches!(&states[..], [state] if state.last_progress >= started_at), "{states:?}");
    }

    #[test]
    fn a_thread_with_everybodys_fate_reports_its_panic() {
        let (sender, notices) = channel();
        spawn("test", Fate::EndProcess, sender, || panic!("on purpose")).expect("a thread");
        assert!(matches!(notices.recv(), Ok(Notice::Ended { panicked: true, .. })));
    }
}
