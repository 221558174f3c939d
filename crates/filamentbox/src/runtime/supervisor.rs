//! Threads with a name and a fate, and the notices that reach the main thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::Sender;
use std::thread::{Builder, JoinHandle, park_timeout};
use std::time::Duration;

use tracing::error;

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
        loop {
            let panicked = catch_unwind(AssertUnwindSafe(&mut body)).is_err();
            if !panicked || fate == Fate::EndProcess {
                let _ = notices.send(Notice::Ended { thread, panicked });
                return;
            }
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
        let thread = spawn("test", Fate::Restart, sender, body).expect("a thread");
        thread.join().expect("the wrapper does not panic");
        assert!(matches!(notices.recv(), Ok(Notice::Ended { panicked: false, .. })));
    }

    #[test]
    fn a_thread_with_everybodys_fate_reports_its_panic() {
        let (sender, notices) = channel();
        spawn("test", Fate::EndProcess, sender, || panic!("on purpose")).expect("a thread");
        assert!(matches!(notices.recv(), Ok(Notice::Ended { panicked: true, .. })));
    }
}
