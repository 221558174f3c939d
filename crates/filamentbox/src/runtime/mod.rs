//! The running daemon: [`start`] reads from top to bottom like the picture in docs/ARCHITECTURE.md, [`Running::supervise`] is
//! the main thread's work, and the order of an orderly stop.

pub mod clock;
pub mod clock_sync;
pub mod control;
pub mod delivering;
pub mod folder;
pub mod guard;
pub mod hardware;
pub mod net;
pub mod reloading;
mod sensing;
pub mod sink_view;
mod start;
pub mod supervisor;
mod tasks;
mod trace;

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Result, bail};
use sd_notify::NotifyState;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use tracing::{error, info, warn};

use self::control::ControlInput;
use self::delivering::Phase;
use self::folder::DataFolder;
use self::reloading::Settings;
use self::sensing::SensorSettings;
use self::supervisor::Notice;
use crate::alerts::Alerts;
use crate::settings::{Loaded, Sources};

pub use start::{crash_log_dir, journal_options, start};

/// At stop, control gets so long to have everything off and acknowledged by the guard.
const OUTPUTS_OFF: Duration = Duration::from_secs(1);
/// At stop, the last send and the journal's last commit together get so long.
const LAST_WORK: Duration = Duration::from_secs(4);
/// Control answers a ping within so long, or it hangs.
const PING: Duration = Duration::from_secs(2);

/// What `run` was asked for.
pub struct Options {
    /// The data folder.
    pub data_dir: PathBuf,
    /// Simulated time runs so many times faster than real time (1 for real time).
    pub time_scale: f64,
    /// Where a relay guard listens that is a service of its own, if it was named.
    pub guard: Option<PathBuf>,
    /// `--trace`.
    pub trace: Option<PathBuf>,
    /// Where the settings are.
    pub sources: Sources,
    /// What was read from there.
    pub loaded: Loaded,
}

/// A daemon at work; owned by the main thread.
pub struct Running {
    control: SyncSender<ControlInput>,
    /// Once these are dropped, and those of the settings' thread, the sensors' threads end as soon as their buses let them.
    sensors: Vec<Sender<SensorSettings>>,
    settings: Settings,
    settings_thread: Option<JoinHandle<()>>,
    phase: tokio::sync::watch::Sender<Phase>,
    notices: Receiver<Notice>,
    socket: Option<PathBuf>,
    alerts: Alerts,
    _folder: DataFolder,
}

impl Running {
    /// Waits for signals and for the ends of threads; feeds systemd's watchdog as long as control lives.
    ///
    /// # Errors
    /// When control has failed. The outputs are released by then, or will be when this process ends.
    pub fn supervise(mut self) -> Result<()> {
        let _ = sd_notify::notify(&[NotifyState::Ready]);
        let watchdog = sd_notify::watchdog_enabled().map(|period| period / 3);
        loop {
            let notice = match watchdog {
                Some(period) => self.notices.recv_timeout(period),
                None => self.notices.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match notice {
                Ok(Notice::Signal(SIGTERM | SIGINT)) => return self.stop(),
                // A full inbox means that control hangs; its lease has run out by then anyway.
                Ok(Notice::Signal(SIGCHLD)) => drop(self.control.try_send(ControlInput::ChildEnded)),
                Ok(Notice::Signal(SIGHUP)) => {
                    info!("SIGHUP: the settings are read again");
                    self.settings.reload();
                }
                Ok(Notice::Signal(other)) => warn!(signal = other, "ignored"),
                Ok(Notice::Ended { thread, .. }) if thread == "control" => {
                    self.settings.end();
                    self.wait_for(&["settings"], OUTPUTS_OFF);
                    bail!("control has failed; outputs are released by the relay guard")
                }
                // Their successors run.
                Ok(Notice::Ended { thread, panicked: false }) if thread == "alerts" => {}
                Ok(Notice::Ended { thread, panicked }) => error!(thread, panicked, "has ended"),
                Err(RecvTimeoutError::Timeout) if self.control_lives() => {
                    let _ = sd_notify::notify(&[NotifyState::Watchdog]);
                }
                Err(RecvTimeoutError::Timeout) => error!("control does not answer; the watchdog is not fed"),
                Err(RecvTimeoutError::Disconnected) => bail!("nobody is left who could stop the daemon"),
            }
        }
    }

    fn control_lives(&self) -> bool {
        let (answer, answered) = sync_channel(1);
        self.control.try_send(ControlInput::Ping(answer)).is_ok() && answered.recv_timeout(PING).is_ok()
    }

    /// Waits until these threads have ended; says whether they have. The settings' thread must: the cryptography of its store ends with the
    /// process, under its hands, if it is still at work then.
    fn wait_for(&mut self, threads: &[&str], at_most: Duration) -> bool {
        let mut awaited = threads.to_vec();
        let deadline = clock::boottime() + at_most;
        while !awaited.is_empty() {
            match self.notices.recv_timeout(deadline.since(clock::boottime())) {
                Ok(Notice::Ended { thread, .. }) => {
                    awaited.retain(|known| *known != thread);
                    if thread == "settings"
                        && let Some(ended) = self.settings_thread.take()
                    {
                        // It has said so with its last breath.
                        let _ = ended.join();
                    }
                }
                Ok(_) => {}
                Err(_) => return false,
            }
        }
        true
    }

    /// Heat off and acknowledged, sensors, the last send, the journal's last commit.
    fn stop(mut self) -> Result<()> {
        info!("stopping");
        let _ = sd_notify::notify(&[NotifyState::Stopping]);
        let (answer, answered) = sync_channel(1);
        let asked = self.control.try_send(ControlInput::Stop(answer));
        if asked.is_err() || answered.recv_timeout(OUTPUTS_OFF).is_err() {
            error!("control does not confirm that the outputs are off; the relay guard releases them");
        }
        self.settings.end();
        self.sensors.clear();
        self.phase.send_replace(Phase::Flushing);
        if !self.wait_for(&["net", "settings"], LAST_WORK) {
            error!("not everything was written in time; what is missing is recovered at the next start");
        }
        self.alerts.end();
        if let Some(socket) = &self.socket {
            // Gone already is as good.
            let _ = std::fs::remove_file(socket);
        }
        info!("stopped");
        Ok(())
    }
}
