//! The command line: what can be typed, and its help.

mod config;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::SignedDuration;

pub use config::{
    AuditArgs, ConfigArgs, ConfigCommand, DescribeArgs, ExportSettingsArgs, GetArgs, ImportArgs, KeyCommand, ListArgs,
    OriginalArgs, ScopeArg, SetArgs, TokenCommand, UnsetArgs,
};

/// FilamentBox measures and conditions the air in filament boxes, keeps the history, and delivers it to your database.
#[derive(Debug, Parser)]
#[command(name = "filamentbox", version, max_term_width = 100)]
pub struct Cli {
    /// Folder of the journal and the socket [default: /var/lib/filamentbox as a service, else
    /// $XDG_STATE_HOME/filamentbox]
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// File of the encrypted settings [default: config.db in the data folder]; its key lies beside it
    #[arg(long, global = true, value_name = "FILE")]
    pub config_db: Option<PathBuf>,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// Every command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The daemon, in the foreground
    Run(RunArgs),
    /// The live state of the running daemon (exit code 3 when none answers)
    Status(StatusArgs),
    /// The live state on the whole screen, with keys for heater and fan (exit code 3 when no daemon answers)
    Tui,
    /// Switch the heater by hand, or hand it back
    Heater(OverrideArgs),
    /// Switch the fan by hand, or hand it back
    Fan(OverrideArgs),
    /// Forget faults and latches, after a look at the box: heat is possible again
    Reset,
    /// Sensors: what is connected, and one reading
    #[command(subcommand)]
    Sensor(SensorCommand),
    /// Output lines, without a daemon
    #[command(subcommand)]
    Outputs(OutputsCommand),
    /// The history
    #[command(subcommand)]
    History(HistoryCommand),
    /// Backends, without a daemon
    #[command(subcommand)]
    Database(DatabaseCommand),
    /// Each backend: what it has, what waits, its last error; and the points it refuses
    Outbox(OutboxArgs),
    /// The event log, newest first
    Events(EventsArgs),
    /// Settings: show, change, import, export
    Config(ConfigArgs),
    /// A fresh one-time code, with which a browser sets the password of the page; also when it was forgotten
    SetupCode,
    /// Looks at everything that decides safety and working, and says how to mend it (exit code 1 when something fails)
    Doctor(DoctorArgs),
    /// Completions for a shell, to stdout
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// The description of the HTTP interface (docs/openapi.json), to stdout
    #[command(hide = true)]
    Openapi,
    /// The process that holds the output lines (started by `run`, or a service of its own; not for people)
    RelayGuard(RelayGuardArgs),
}

/// `run`
#[derive(Debug, Args)]
pub struct RunArgs {
    /// A simulated box instead of sensor and outputs
    #[arg(long)]
    pub simulate: bool,
    /// Simulated time runs N times faster than real time
    #[arg(long, value_name = "N", requires = "simulate", default_value_t = 1.0, value_parser = time_scale)]
    pub time_scale: f64,
    /// Socket of a relay guard that is a service of its own [default: /run/filamentbox-relay/guard.sock if it is there;
    /// else the daemon starts a guard]
    #[arg(long, value_name = "SOCKET", conflicts_with = "simulate")]
    pub guard: Option<PathBuf>,
    /// Append every reading and every change of an output to FILE, for measuring reaction times
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Log every reading and every delivery
    #[arg(long)]
    pub debug: bool,
}

/// `status`
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// As JSON
    #[arg(long)]
    pub json: bool,
    /// Again every second, until Ctrl-C
    #[arg(long)]
    pub watch: bool,
}

/// `--json`
#[derive(Debug, Args)]
pub struct JsonArgs {
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// `outbox`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct OutboxArgs {
    /// As JSON
    #[arg(long)]
    pub json: bool,
    /// What to do; nothing shows the state of each backend
    #[command(subcommand)]
    pub command: Option<OutboxCommand>,
}

/// `outbox ...`
#[derive(Debug, Subcommand)]
pub enum OutboxCommand {
    /// Points that a backend refuses for good
    #[command(subcommand)]
    Deadletter(DeadletterCommand),
}

/// `outbox deadletter ...`
#[derive(Debug, Subcommand)]
pub enum DeadletterCommand {
    /// Every refused point with its backend's reason, oldest first (1000 are kept)
    List(DeadletterListArgs),
    /// Send them again, for example once the database is mended
    Retry(DeadletterArgs),
    /// Drop them for good; they count as evicted
    Drop(DeadletterArgs),
}

/// `outbox deadletter list`
#[derive(Debug, Args)]
pub struct DeadletterListArgs {
    /// Of this backend only, for example influxdb_v2
    #[arg(long)]
    pub backend: Option<String>,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// Which dead letters
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub struct DeadletterArgs {
    /// Those of this backend
    #[arg(long)]
    pub backend: Option<String>,
    /// The one with this number
    #[arg(long)]
    pub id: Option<u64>,
    /// All of them
    #[arg(long, conflicts_with_all = ["backend", "id"])]
    pub all: bool,
}

/// `events`
#[derive(Debug, Args)]
pub struct EventsArgs {
    /// As JSON, one object a line
    #[arg(long)]
    pub json: bool,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub limit: u16,
}

/// `heater`, `fan`
#[derive(Debug, Args)]
pub struct OverrideArgs {
    /// The wish
    pub state: WishArg,
    /// For so long, such as 30m or 1h30m [default: heater on: safety.override_max; else until auto]
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub hold: Option<Duration>,
    /// The box
    #[arg(long = "box", value_name = "BOX", default_value = "main")]
    pub box_name: String,
}

/// What can be wished for an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WishArg {
    /// On, by hand
    On,
    /// Off, by hand
    Off,
    /// Back to its controller
    Auto,
}

/// `history`
#[derive(Debug, Subcommand)]
pub enum HistoryCommand {
    /// Samples from the journal, sealed and open, oldest first, to stdout
    Export(ExportArgs),
}

/// `history export`
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// From this moment on: Unix seconds, RFC 3339, a date, or an age such as 2h or 7d [default: the oldest]
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Up to, but without, this moment [default: the newest]
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// How
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    pub format: Format,
    /// Only this box
    #[arg(long = "box", value_name = "BOX")]
    pub box_name: Option<String>,
}

/// Formats of `history export`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A header and a row a sample
    Csv,
    /// A JSON object a line
    Jsonl,
}

/// `sensor`
#[derive(Debug, Subcommand)]
pub enum SensorCommand {
    /// Every sensor that answers, on I2C and in the kernel, and what keeps others from being used
    Scan(JsonArgs),
    /// One reading of the configured sensor, raw and converted
    Read(JsonArgs),
}

/// `database`
#[derive(Debug, Subcommand)]
pub enum DatabaseCommand {
    /// Whether each configured backend is reachable, knows us and lets us write; stores nothing (exit code 1 when one does not)
    Test(JsonArgs),
}

/// `outputs`
#[derive(Debug, Subcommand)]
pub enum OutputsCommand {
    /// Drive every configured output inactive, and every one that a relay guard has held here
    Off(OutputsOffArgs),
}

/// `outputs off`
#[derive(Debug, Args)]
pub struct OutputsOffArgs {
    /// Folder in which the relay guard keeps its record [default: as a service $STATE_DIRECTORY, else `relay` in the
    /// data folder]
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
}

/// `doctor`
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Only what decides safety
    #[arg(long)]
    pub safety: bool,
    /// As JSON; asks nothing
    #[arg(long)]
    pub json: bool,
}

/// `relay-guard`
#[derive(Debug, Args)]
pub struct RelayGuardArgs {
    /// Listen on this socket, for one daemon at a time; without it the socket is the standard input, and the guard ends
    /// with its daemon
    #[arg(long, value_name = "SOCKET")]
    pub listen: Option<PathBuf>,
    /// Folder of the latches [default: as a service $STATE_DIRECTORY, else they are forgotten at the end]
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// The guard's own limits; must belong to root
    #[arg(long, value_name = "FILE", default_value = RELAY_FILE)]
    pub limits: PathBuf,
    /// Hold simulated lines
    #[arg(long)]
    pub simulate: bool,
    /// Append every change of a line to FILE
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
}

/// Where the relay guard's own limits are.
pub const RELAY_FILE: &str = "/etc/filamentbox/relay.toml";
/// Simulated time cannot usefully run faster than this: a reading every 50 µs.
const TIME_SCALE_MAX: f64 = 100_000.0;

fn time_scale(text: &str) -> Result<f64, String> {
    let scale: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    let allowed = (1.0..=TIME_SCALE_MAX).contains(&scale);
    if allowed { Ok(scale) } else { Err(format!("allowed: 1 to {TIME_SCALE_MAX}")) }
}

fn duration(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<u32>().map(|seconds| SignedDuration::from_secs(i64::from(seconds)));
    let duration =
        seconds.or_else(|_| text.parse::<SignedDuration>()).map_err(|_| "allowed: 90s, 30m, 1h30m".to_owned())?;
    let positive = Duration::try_from(duration).ok().filter(|duration| *duration >= Duration::from_secs(1));
    positive.ok_or_else(|| "allowed: at least 1s".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn durations_as_people_write_them() {
        for (text, seconds) in [("30m", 1800), ("1h30m", 5400), ("90s", 90), ("45", 45), ("2 hours", 7200)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "0", "0s", "-5m", "soon", "100ms"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn time_scales_within_their_range() {
        assert!(time_scale("1").is_ok() && time_scale("100000").is_ok());
        for text in ["0.5", "100001", "NaN", "fast"] {
            assert!(time_scale(text).is_err(), "{text}");
        }
    }
}
