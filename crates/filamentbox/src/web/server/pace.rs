//! A socket that gives up on whoever is too slow: a head that does not come, a rest that is too long, a reader that takes nothing.
//!
//! Not here: bodies of requests ([`super::body`]), which HTTP reads when it is asked to.

use std::future::Future as _;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::limits::{HEAD_TIME, IDLE_TIME, STALL_TIME};

/// What a connection is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// A head is coming, or TLS before it, which must be whole by then.
    Head(Instant),
    /// A request has been answered, and the next one must begin by then.
    Resting(Instant),
    /// A request is being read or answered.
    Working,
}

/// What a connection is about, as the one who answers tells the socket.
#[derive(Clone)]
pub(super) struct Pace(Arc<Mutex<Stage>>);

impl Pace {
    /// A connection has just come.
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Stage::Head(Instant::now() + HEAD_TIME))))
    }

    /// A request's head is whole.
    pub(super) fn works(&self) {
        self.set(Stage::Working);
    }

    /// The answer is made.
    pub(super) fn rests(&self) {
        self.set(Stage::Resting(Instant::now() + IDLE_TIME));
    }

    fn heard(&self) {
        if matches!(self.get(), Stage::Resting(_)) {
            self.set(Stage::Head(Instant::now() + HEAD_TIME));
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match self.get() {
            Stage::Head(deadline) | Stage::Resting(deadline) => Some(deadline),
            Stage::Working => None,
        }
    }

    fn get(&self) -> Stage {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, stage: Stage) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = stage;
    }
}

/// The socket.
pub(super) struct Paced<S = TcpStream> {
    stream: S,
    pace: Pace,
    reading: Timer,
    writing: Timer,
}

/// A timer that costs nothing while nobody waits.
#[derive(Default)]
struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Ready once `deadline` has passed.
    fn poll(&mut self, context: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() != deadline {
            sleep.as_mut().reset(deadline);
        }
        sleep.as_mut().poll(context)
    }

    /// Ready once this has been asked for so long as a reader may take nothing.
    fn poll_stall(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let deadline = self.0.as_ref().map_or_else(|| Instant::now() + STALL_TIME, |sleep| sleep.deadline());
        self.poll(context, deadline)
    }

    fn stop(&mut self) {
        self.0 = None;
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Paced<S> {
    pub(super) fn new(stream: S, pace: Pace) -> Self {
        Self { stream, pace, reading: Timer::default(), writing: Timer::default() }
    }

    fn unless_stalled(
        &mut self,
        context: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let written = write(Pin::new(&mut self.stream), context);
        if written.is_ready() {
            self.writing.stop();
            return written;
        }
        self.writing.poll_stall(context).map(|()| Err(too_slow("nothing of the answer was taken")))
    }
}

fn too_slow(what: &str) -> io::Error {
    io::Error::new(ErrorKind::TimedOut, what)
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Paced<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        if read.is_ready() {
            this.pace.heard();
        }
        let Some(deadline) = this.pace.deadline() else {
            this.reading.stop();
            return read;
        };
        // Also for bytes that have come: whoever sends one now and then would be waited for without end.
        match this.reading.poll(context, deadline) {
            Poll::Ready(()) => Poll::Ready(Err(too_slow("the request was not whole in time"))),
            Poll::Pending => read,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().unless_stalled(context, |stream, context| stream.poll_write(context, buffer))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().unless_stalled(context, |stream, context| stream.poll_write_vectored(context, buffers))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::time::sleep;

    use super::*;

    const MOMENT: Duration = Duration::from_millis(10);

    fn paced() -> (Paced<DuplexStream>, DuplexStream, Pace) {
        let (near, far) = duplex(16);
        let pace = Pace::new();
        (Paced::new(near, pace.clone()), far, pace)
    }

    async fn read_error(paced: &mut Paced<DuplexStream>) -> (Duration, ErrorKind) {
        let begun = Instant::now();
        let error = loop {
            if let Err(error) = paced.read(&mut [0; 4]).await {
                break error;
            }
        };
        (begun.elapsed(), error.kind())
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_has_its_time_however_it_drips() {
        let (mut paced, mut far, _) = paced();
        let drips = tokio::spawn(async move {
            while far.write_all(b"x").await.is_ok() {
                sleep(HEAD_TIME / 7).await;
            }
        });
        let (elapsed, kind) = read_error(&mut paced).await;
        assert_eq!(kind, ErrorKind::TimedOut);
        assert!(elapsed >= HEAD_TIME && elapsed < HEAD_TIME + MOMENT, "{elapsed:?}");
        drop(paced);
        drips.await.expect("it ends");
    }

    #[tokio::test(start_paused = true)]
    async fn rest_is_long_and_ends_with_the_first_byte() {
        let (mut resting, _far, pace) = paced();
        pace.rests();
        let (elapsed, kind) = read_error(&mut resting).await;
        assert!(kind == ErrorKind::TimedOut && elapsed >= IDLE_TIME && elapsed < IDLE_TIME + MOMENT, "{elapsed:?}");

        let (mut paced, mut far, pace) = paced();
        pace.rests();
        sleep(IDLE_TIME - MOMENT).await;
        far.write_all(b"G").await.expect("taken");
        let (elapsed, kind) = read_error(&mut paced).await;
        assert!(kind == ErrorKind::TimedOut && elapsed >= HEAD_TIME && elapsed < HEAD_TIME + MOMENT, "{elapsed:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_at_work_is_not_hurried() {
        let (mut paced, mut far, pace) = paced();
        pace.works();
        let writes = tokio::spawn(async move {
            sleep(IDLE_TIME * 3).await;
            far.write_all(b"body").await.expect("taken");
            far
        });
        assert_eq!(paced.read(&mut [0; 8]).await.expect("in time"), 4);
        drop(writes.await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_takes_nothing_is_given_up_and_a_slow_one_is_not() {
        let (mut stalled, _far, _) = paced();
        let begun = Instant::now();
        let error = stalled.write_all(&[0; 64]).await.expect_err("nobody reads");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(begun.elapsed() >= STALL_TIME && begun.elapsed() < STALL_TIME + MOMENT, "{:?}", begun.elapsed());

        let (mut slow, mut far, _) = paced();
        let reads = tokio::spawn(async move {
            for _ in 0..64 {
                sleep(STALL_TIME - MOMENT).await;
                far.read_exact(&mut [0; 1]).await.expect("there");
            }
        });
        slow.write_all(&[0; 64]).await.expect("slowly taken");
        reads.await.expect("all read");
    }
}
