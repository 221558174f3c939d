//! Log lines: up to WARN to stdout, ERROR to stderr; coloured on a terminal, plain in a pipe.
//!
//! They leave through bounded queues with a thread of their own: a reader that stalls loses lines and stalls nobody.

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Lines that may wait for a slow reader; further ones are dropped.
const QUEUE_MAX: usize = 1024;

/// Starts logging, until what is returned is dropped; that writes what still waits (for a second at most). With `debug`, every reading and every request is logged too (our own code only, not the libraries').
pub fn start(debug: bool) -> [WorkerGuard; 2] {
    let queue = || NonBlockingBuilder::default().buffered_lines_limit(QUEUE_MAX);
    let (stdout, out_guard) = queue().thread_name("log-out").finish(std::io::stdout());
    let (stderr, err_guard) = queue().thread_name("log-err").finish(std::io::stderr());
    let most = if debug { Level::DEBUG } else { Level::INFO };
    let ours = move |metadata: &Metadata<'_>| {
        *metadata.level() <= if metadata.target().starts_with("filamentbox") { most } else { Level::WARN }
    };
    let out = layer()
        .with_target(false)
        .with_ansi(std::io::stdout().is_terminal())
        .with_writer(stdout)
        .with_filter(filter_fn(move |metadata| *metadata.level() > Level::ERROR && ours(metadata)));
    let err = layer()
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(stderr)
        .with_filter(LevelFilter::ERROR);
    tracing_subscriber::registry().with(out).with(err).init();
    [out_guard, err_guard]
}
