//! Every limit of the port, with its reason. docs/SERVER.md has the same numbers for people.

use std::time::Duration;

/// Connections at a time: a household's browsers use a dozen; each costs a slow client at most some 100 kB here.
pub(super) const PLACES: usize = 64;
/// Of them for one address (an IPv6 network of 64 bits) that has not logged in: a browser opens six.
pub(super) const PLACES_EACH: usize = 8;
/// Of them for this machine itself, where a reverse proxy may speak for everybody; half, so that others get in beside it.
pub(super) const PLACES_LOOPBACK: usize = 32;
/// Connections that the kernel completes before they are looked at.
pub(super) const BACKLOG: u32 = 128;
/// The kernel's own buffers for a connection, which it would let grow to megabytes for a slow reader.
pub(super) const KERNEL_BUFFER: u32 = 64 * 1024;

/// A request's head; browsers send below 2 kB.
pub(super) const HEAD_MAX: usize = 16 * 1024;
/// Lines in it; browsers send below 20.
pub(super) const HEADERS_MAX: usize = 64;
/// A head is whole so long after its first byte; a connection's first one, with TLS before it, so long after the connection.
pub(super) const HEAD_TIME: Duration = Duration::from_secs(5);
/// A body is whole so long after its head.
pub(super) const BODY_TIME: Duration = Duration::from_secs(10);
/// Between two requests a connection may rest so long.
pub(super) const IDLE_TIME: Duration = Duration::from_secs(60);
/// A reader that takes nothing for so long has gone.
pub(super) const STALL_TIME: Duration = Duration::from_secs(20);
/// What HTTP holds of a connection's traffic; a page or a status fits.
pub(super) const HTTP_BUFFER: usize = 16 * 1024;

/// Answers of unknown length at a time (exports): each holds some chunks of the history, about 1 MB, for as long as its reader takes.
pub(super) const LONG_ANSWERS: usize = 4;

/// After an answer that ends the connection, what still comes is read and thrown away: a connection that is closed with unread bytes
/// is reset, and the client would not see the answer.
pub(super) const LINGER_TIME: Duration = Duration::from_secs(1);
/// So much of it.
pub(super) const LINGER_MAX: usize = 256 * 1024;
/// When the port moves, the requests under way (the one that moved it) get so long.
pub(super) const GRACE: Duration = Duration::from_secs(2);

/// Listening that failed is tried again after so long, doubled up to [`RETRY_MAX`]: at boot an address comes within seconds.
pub(super) const RETRY_MIN: Duration = Duration::from_secs(1);
/// The longest pause between two tries.
pub(super) const RETRY_MAX: Duration = Duration::from_secs(30);
/// The certificate's files are looked at so often, so that a renewed one is served without anybody's doing.
pub(super) const LOOK: Duration = Duration::from_secs(12 * 3600);
/// Out of descriptors or memory, accepting pauses so long.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Threads for what blocks (name look-ups of `database test`, a password's hash).
pub(super) const BLOCKING_THREADS: usize = 4;
/// A certificate or key file; chains are below 20 kB.
pub(super) const PEM_MAX: u64 = 1 << 20;
