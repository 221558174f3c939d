//! From settings to a daemon at work, in the order in which things must come up: the guard before anything that could want
//! an output, the journal before anything that could sample.

use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use filamentbox_core::chamber::{Chamber, Wanted};
use filamentbox_core::config::{Config, Source};
use filamentbox_core::event::{Event, EventKind, Severity};
use filamentbox_core::time::UnixTime;
use filamentbox_devices::sensors::sim::{SimulatedBox, SimulatedFault};
use filamentbox_devices::sensors::{Now, Opener};
use rustix::fs::Mode;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tracing::{error, warn};

use super::clock::{Clocks, boottime, wall};
use super::control::{Control, ControlInput, INBOX, Snapshots};
use super::delivering::Phase;
use super::folder::{DataFolder, FolderError, is_no_room, runtime_dir};
use super::guard::{self, GuardLink, GuardLost, Plan};
use super::hardware;
use super::net::{self, Net, Shown};
use super::reloading::{self, Parts, Reloading, Settings};
use super::sensing::{Sensing, SensorSettings};
use super::supervisor::{Fate, Notice, spawn};
use super::tasks::{Delivery, Surroundings};
use super::trace::Trace;
use super::{Options, Running};
use crate::alerts::{self, Alerts};
use crate::cli::RELAY_FILE;
use crate::journal::{self, Handle, Intake, Journal, Recovery};
use crate::settings::Loaded;
use crate::web::Daemon;
use crate::web::access::Access;
use crate::web::server::{self, Page};

/// RAM-backed folders in which the open block survives a crash of the program, best first.
const CRASH_LOG_DIRS: [&str; 2] = ["/dev/shm", "/run/shm"];

/// Two signals closer together than this are one request to stop.
const SAME_REQUEST: Duration = Duration::from_millis(300);

/// What every part of the start needs.
struct Start {
    loaded: Loaded,
    trace: Option<PathBuf>,
    clocks: Arc<Clocks>,
    notices: Sender<Notice>,
    alerts: Alerts,
    simulation: Option<SimulatedBox>,
}

/// Starts everything.
///
/// # Errors
/// What keeps the daemon from running at all: the data folder, the journal, the socket, the guard. A missing sensor or an
/// unreachable backend does not.
pub fn start(options: Options) -> Result<Running> {
    options.loaded.warnings.iter().for_each(|warning| warn!("{warning}"));
    // What this process makes is nobody else's to read, but for its group.
    rustix::process::umask(Mode::from_raw_mode(0o027));
    let folder = DataFolder::open(&options.data_dir)?;
    let (notice_sender, notices) = channel();
    let started = Arc::new(AtomicBool::new(false));
    forward_signals(notice_sender.clone(), started.clone())?;

    let (socket, listener) = open_socket(&folder)?.unzip();
    let plan = guard_plan(&options, folder.path())?;
    // Before the guard: when the process is killed, the kernel closes its files from the newest to the oldest, and takes about 20 ms for a
    // watch. The guard's socket must not wait for that.
    let store_watch = reloading::Watch::new(&options.sources.places).context("the settings cannot be watched")?;
    let guard = start_guard(&plan);
    let journal_path = folder.path().join(&options.loaded.config.journal_path);
    let clocks = Arc::new(make_clocks(&options, &journal_path));
    let simulation = make_simulation(&options, &clocks);
    let alerts = start_alerts(&options, &notice_sender)?;
    let Options { sources, loaded, .. } = options;
    let (ask_vault, vault_asked) = channel();
    let vault = sources.watch_vault();
    let ask_vault = vault.is_some().then_some(ask_vault);
    let (mut reloading, settings) = Reloading::new(sources, loaded.clone(), store_watch, ask_vault);
    let start =
        Start { loaded, trace: options.trace, clocks, notices: notice_sender, alerts: alerts.clone(), simulation };

    let (intake, journal) = start.journal(journal_path)?;
    let surroundings = Surroundings { journal, clocks: start.clocks.clone(), alerts: alerts.clone() };
    let is_guarded = !plan.slots.is_empty();
    let (control, snapshots) = start.control(plan.clone(), guard, intake)?;
    let sensors = start.sensors(&control)?;
    let (phase, delivery) = start.net(listener, &control, snapshots, &surroundings, settings.clone())?;
    let notices_of_threads = start.notices;
    let mut parts = Parts {
        control: control.clone(),
        sensors: sensors.clone(),
        delivery,
        surroundings,
        plan,
        is_guarded,
        notices: notices_of_threads.clone(),
    };
    let settings_thread =
        spawn("settings", Fate::Restart, notices_of_threads.clone(), move || reloading.run(&mut parts))?;
    if let Some(mut vault) = vault {
        let settings = settings.clone();
        let run = move || vault.run(&vault_asked, |news| settings.vault_says(news));
        spawn("vault", Fate::Restart, notices_of_threads, run)?;
    }
    started.store(true, Ordering::SeqCst);
    let settings_thread = Some(settings_thread);
    Ok(Running { control, sensors, settings, settings_thread, phase, notices, socket, alerts, _folder: folder })
}

/// The journal at `path`, as the settings want it.
pub fn journal_options(config: &Config, path: PathBuf, clocks: Arc<Clocks>, alerts: Alerts) -> journal::Options {
    journal::Options::new(path, crash_log_dir(), journal::Settings::of(config), clocks, alerts)
}

impl Start {
    fn config(&self) -> &Config {
        &self.loaded.config
    }

    fn open_trace(&self) -> Result<Option<Trace>> {
        self.trace.as_deref().map(Trace::open).transpose().context("the trace file cannot be opened")
    }

    fn journal(&self, path: PathBuf) -> Result<(Intake, Handle)> {
        let options = journal_options(self.config(), path, self.clocks.clone(), self.alerts.clone());
        if options.crash_log_dir.is_none() {
            let looked = CRASH_LOG_DIRS.join(", ");
            warn!("there is no RAM disk ({looked}): a crash of the program loses the open samples");
        }
        let started = Journal::start(options).context("the journal cannot be opened")?;
        let (intake, handle, mut journal, recovery) = started;
        let at = self.clocks.read().wall;
        // Without a file, the journal has said so.
        for event in recovery.iter().flat_map(Recovery::events) {
            super::control::write_log(&event);
            handle.event(event);
        }
        let text = format!("filamentbox {} started, process {}", env!("CARGO_PKG_VERSION"), std::process::id());
        let started = Event { at, box_name: None, kind: EventKind::Daemon, severity: Severity::Info, text };
        super::control::write_log(&started);
        handle.event(started);
        spawn("journal", Fate::Restart, self.notices.clone(), move || journal.run())?;
        Ok((intake, handle))
    }

    fn control(
        &self,
        plan: Plan,
        guard: Result<Option<GuardLink>, GuardLost>,
        intake: Intake,
    ) -> Result<(SyncSender<ControlInput>, watch::Receiver<Snapshots>)> {
        let (sender, inbox) = sync_channel(INBOX);
        let now = self.clocks.read().now;
        let boxes = self.config().boxes.iter();
        let chambers: Vec<Chamber> = boxes.map(|config| Chamber::new(config.clone(), now)).collect();
        let shown: Snapshots = Arc::new(chambers.iter().map(|chamber| chamber.snapshot(now)).collect());
        let (snapshots, receiver) = watch::channel(shown);
        let (guard, lost) = match guard {
            Ok(guard) => (guard, None),
            Err(lost) => (None, Some(lost)),
        };
        let mut control = Control {
            asked: (vec![Wanted::default(); chambers.len()], boottime()),
            chambers,
            clocks: self.clocks.clone(),
            guard,
            plan,
            unavailable: Vec::new(),
            intake,
            snapshots,
            simulated: self.simulation.as_ref().map(SimulatedBox::outputs),
            inbox,
            trace: self.open_trace()?,
        };
        if let Some(lost) = lost {
            control.latch_guard_lost(&lost);
        }
        spawn("control", Fate::EndProcess, self.notices.clone(), move || control.run())?;
        Ok((sender, receiver))
    }

    fn sensors(&self, control: &SyncSender<ControlInput>) -> Result<Vec<Sender<SensorSettings>>> {
        let mut sensors = Vec::new();
        for (box_index, box_config) in self.config().boxes.iter().enumerate() {
            let (settings_sender, changes) = channel();
            let mut sensing = Sensing {
                box_index,
                box_name: box_config.name.clone(),
                settings: SensorSettings::of(&self.loaded),
                context: hardware::context(now(&self.clocks), self.simulation.clone()),
                clocks: self.clocks.clone(),
                control: control.clone(),
                changes,
                trace: self.open_trace()?,
                opener: Opener::new(),
                sensor: None,
            };
            let name = format!("sensor-{}", box_config.name);
            spawn(&name, Fate::Restart, self.notices.clone(), move || sensing.run())?;
            sensors.push(settings_sender);
        }
        Ok(sensors)
    }

    fn net(
        &self,
        listener: Option<UnixListener>,
        control: &SyncSender<ControlInput>,
        snapshots: watch::Receiver<Snapshots>,
        surroundings: &Surroundings,
        settings: Settings,
    ) -> Result<(watch::Sender<Phase>, UnboundedSender<Delivery>)> {
        let (phase, phase_receiver) = watch::channel(Phase::Running);
        let (changes_sender, changes) = unbounded_channel();
        let delivery = Delivery::of(&self.loaded, surroundings);
        let (shown, shown_receiver) = watch::channel(Arc::new(Shown::of(&delivery, None)));
        let journal = surroundings.journal.clone();
        let (page, page_receiver) = watch::channel(Page::default());
        let is_simulated = self.simulation.is_some();
        // A simulated sensor without `--simulate` opens nothing.
        let sensor = self.loaded.settings.get("sensor.type");
        let is_open = sensor.is_some_and(|setting| setting.source == Source::Simulate);
        let daemon = Daemon {
            access: Access::new(settings.clone(), journal.clone(), self.clocks.clone(), is_open),
            snapshots,
            control: control.clone(),
            journal: journal.clone(),
            shown: shown_receiver,
            settings,
            page: page_receiver,
            started: self.clocks.read().now,
            simulated: is_simulated,
            clocks: self.clocks.clone(),
            phase: phase_receiver.clone(),
        };
        let mut net = Net {
            delivery,
            changes,
            is_pending: false,
            daemon: daemon.clone(),
            shown,
            journal,
            phase: phase_receiver,
            listener,
        };
        self.web(daemon, page, phase.subscribe())?;
        spawn("net", Fate::Restart, self.notices.clone(), move || net.run())?;
        Ok((phase, changes_sender))
    }

    /// The port, which may fail without any harm to the box.
    fn web(&self, daemon: Daemon, page: watch::Sender<Page>, mut phase: watch::Receiver<Phase>) -> Result<()> {
        let run = move || server::run(&daemon, &page, &mut phase);
        spawn("web", Fate::Restart, self.notices.clone(), run)?;
        Ok(())
    }
}

/// The socket: in the data folder, or, where that is on a disk that is read-only or full, in systemd's runtime folder. `None` where there
/// is neither: the daemon works, and nobody can talk to it.
fn open_socket(folder: &DataFolder) -> Result<Option<(PathBuf, UnixListener)>> {
    let why = match folder.free_socket() {
        Ok(socket) => match net::bind(&socket) {
            Ok(listener) => return Ok(Some((socket, listener))),
            Err(why) if is_no_room(&why) => why,
            Err(why) => {
                let hint = "a path of at most 107 bytes can; --data-dir sets it";
                return Err(why).with_context(|| format!("the socket {} cannot be opened ({hint})", socket.display()));
            }
        },
        Err(FolderError::Unusable { reason, .. }) if is_no_room(&reason) => reason,
        Err(problem) => return Err(problem.into()),
    };
    let Some(other) = runtime_dir() else {
        error!("there is no socket, so no command reaches this daemon: {}: {why}", folder.path().display());
        return Ok(None);
    };
    warn!(
        "the socket is in {0}, for commands with --data-dir {0}: {1}: {why}",
        other.display(),
        folder.path().display()
    );
    let socket = DataFolder::free_socket_in(&other)?;
    let listener = net::bind(&socket).with_context(|| format!("the socket {} cannot be opened", socket.display()))?;
    Ok(Some((socket, listener)))
}

/// A simulated sensor drives simulated lines and never a real one.
fn guard_plan(options: &Options, data_dir: &Path) -> Result<Plan> {
    let config = &options.loaded.config;
    if config.boxes.len() > guard::BOXES_MAX {
        bail!("at most {} boxes are possible", guard::BOXES_MAX);
    }
    Ok(Plan {
        simulate: guard::is_simulated(config),
        service: options.guard.clone().or_else(guard::service).filter(|_| !guard::is_simulated(config)),
        trace: options.trace.clone(),
        state_dir: data_dir.join(guard::STATE_DIR),
        limits: RELAY_FILE.into(),
        slots: guard::slots(config),
        boxes: config.boxes.len(),
    })
}

/// The guard, where there is an output to hold. Without it the daemon measures and keeps, and refuses heat.
fn start_guard(plan: &Plan) -> Result<Option<GuardLink>, GuardLost> {
    if plan.slots.is_empty() { Ok(None) } else { GuardLink::start(plan).map(Some) }
}

/// The way to the alert hooks, and their thread, where there are any.
fn start_alerts(options: &Options, notices: &Sender<Notice>) -> Result<Alerts> {
    let (alerts, hooks) = alerts::open(&options.loaded.settings);
    if let Some(mut hooks) = hooks {
        spawn("alerts", Fate::Restart, notices.clone(), move || hooks.run())?;
    }
    Ok(alerts)
}

/// Where the open block survives a crash of the program.
pub fn crash_log_dir() -> Option<PathBuf> {
    CRASH_LOG_DIRS.iter().map(PathBuf::from).find(|dir| dir.is_dir())
}

/// Real clocks; or scaled ones, whose wall time goes on after the newest sample of an earlier simulation.
fn make_clocks(options: &Options, journal_path: &Path) -> Clocks {
    let Config { require_sync, read_interval, .. } = options.loaded.config;
    let clocks = if options.time_scale <= 1.0 {
        Clocks::real(require_sync)
    } else {
        let real = wall().unwrap_or(UnixTime::from_millis(0));
        let newest = journal::newest(journal_path).unwrap_or(real);
        Clocks::scaled(options.time_scale, real.max(newest), read_interval)
    };
    let is_simulated = guard::is_simulated(&options.loaded.config);
    match SimulatedFault::from_settings(&options.loaded.settings) {
        SimulatedFault::NoClock if is_simulated => clocks.with_no_clock(require_sync),
        _ => clocks,
    }
}

fn make_simulation(options: &Options, clocks: &Arc<Clocks>) -> Option<SimulatedBox> {
    let Options { loaded, .. } = options;
    guard::is_simulated(&loaded.config).then(|| SimulatedBox::from_settings(&loaded.settings, now(clocks)))
}

fn now(clocks: &Arc<Clocks>) -> Now {
    let clocks = clocks.clone();
    Arc::new(move || clocks.read().now)
}

/// A thread that waits for signals and tells the main thread. Before everything is `started`, and at the second request to stop,
/// the process ends at once: the guard sees its socket close and releases the outputs.
fn forward_signals(notices: Sender<Notice>, started: Arc<AtomicBool>) -> Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGCHLD]).context("signals cannot be received")?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut stop_asked_at = None;
        for signal in signals.forever() {
            if matches!(signal, SIGTERM | SIGINT) {
                match stop_asked_at {
                    None if !started.load(Ordering::SeqCst) => std::process::exit(128 + signal),
                    None => stop_asked_at = Some(boottime()),
                    // timeout(1) and some supervisors signal the process and then its group: that is one request.
                    Some(asked_at) if boottime().since(asked_at) < SAME_REQUEST => continue,
                    Some(_) => std::process::exit(128 + signal),
                }
            }
            if notices.send(Notice::Signal(signal)).is_err() {
                return;
            }
        }
    })?;
    Ok(())
}
