//! Vault beside a running daemon, on a thread of its own: keeps the token alive and says when the settings have changed.

use std::fmt;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use filamentbox_core::time::Monotonic;

use super::{Vault, VaultError};
use crate::runtime::clock::boottime;
use crate::runtime::supervisor::progress;

/// Longest pause between two questions during an outage.
const PAUSE_MAX: Duration = Duration::from_secs(300);
/// Settings that are the same are told again after so long, so that their age is known after a restart without Vault.
const AGAIN: Duration = Duration::from_secs(24 * 60 * 60);

/// What a daemon has to know.
pub enum News {
    /// The settings: when they have changed, and once a day. Whether they are allowed has not been looked at.
    Values(Vec<(String, String)>),
    /// Vault has stopped answering, or refuses; said once. The settings stay as they are.
    Lost(VaultError),
    /// It answers again.
    Back,
}

/// Without the settings: there are passwords among them.
impl fmt::Debug for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Values(values) => write!(f, "Values({} settings)", values.len()),
            Self::Lost(problem) => write!(f, "Lost({problem:?})"),
            Self::Back => f.write_str("Back"),
        }
    }
}

/// Asks again and again.
pub struct Watch {
    vault: Vault,
    values: Vec<(String, String)>,
    told: Monotonic,
    failures: u32,
}

impl Watch {
    /// `values` are those in force; `is_lost`: that Vault does not answer has been said already.
    pub(super) fn new(vault: Vault, values: Vec<(String, String)>, is_lost: bool) -> Self {
        Self { vault, values, told: boottime(), failures: u32::from(is_lost) }
    }

    /// Asks until nobody is left who can send to `asked`, and tells what is new. Each message in it is a wish to ask now.
    pub fn run(&mut self, asked: &Receiver<()>, mut tell: impl FnMut(News)) {
        loop {
            progress();
            match asked.recv_timeout(self.pause()) {
                Ok(()) | Err(RecvTimeoutError::Timeout) => self.refresh().into_iter().for_each(&mut tell),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Asks once. May take `session::LIMIT` twice.
    pub fn refresh(&mut self) -> Vec<News> {
        let kept_alive = self.vault.keep_alive();
        let mut news = Vec::new();
        let outcome = self.vault.read_values().and_then(|values| {
            if values != self.values || boottime().since(self.told) >= AGAIN {
                self.told = boottime();
                self.values.clone_from(&values);
                news.push(News::Values(values));
            }
            // A token that cannot be renewed is told of while it still opens doors.
            kept_alive
        });
        match outcome {
            Ok(()) if std::mem::take(&mut self.failures) > 0 => news.insert(0, News::Back),
            Ok(()) => {}
            Err(problem) => {
                self.failures = self.failures.saturating_add(1);
                if self.failures == 1 {
                    news.push(News::Lost(problem));
                }
            }
        }
        news
    }

    /// How long to wait before asking again: the settings' 30 s or the token's two thirds; longer and longer while there is no answer.
    pub fn pause(&self) -> Duration {
        let doublings = self.failures.saturating_sub(1).min(10);
        self.vault.next_refresh().saturating_mul(1 << doublings).min(PAUSE_MAX)
    }
}
