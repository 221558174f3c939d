//! `config ...`: the settings' part of the command line, with the original tool's flags.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// `config`
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub struct ConfigArgs {
    /// What to do
    #[command(subcommand)]
    pub command: Option<ConfigCommand>,
    /// The original tool's
    #[command(flatten)]
    pub original: OriginalArgs,
}

/// The flags of the original's config_tool, for scripts and fingers that know them
#[derive(Debug, Args)]
#[command(next_help_heading = "Flags of the original's config_tool")]
pub struct OriginalArgs {
    /// As `config list`
    #[arg(long, group = "action")]
    pub list: bool,
    /// As `config get KEY`
    #[arg(long, group = "action", value_name = "KEY")]
    pub get: Option<String>,
    /// As `config set KEY VALUE`
    #[arg(long, group = "action", value_names = ["KEY", "VALUE"], num_args = 2, allow_negative_numbers = true)]
    pub set: Option<Vec<String>>,
    /// As `config unset KEY`
    #[arg(long, group = "action", value_name = "KEY")]
    pub delete: Option<String>,
    /// As `config edit`
    #[arg(long, group = "action", conflicts_with = "key")]
    pub interactive: bool,
    /// As --config-db
    #[arg(long, value_name = "FILE")]
    pub db: Option<PathBuf>,
    /// The store's key; as every user of this machine can read it there, better CONFIG_ENCRYPTION_KEY in the environment, or nothing:
    /// the key's file beside the store is read
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
}

impl OriginalArgs {
    /// Whether there are any.
    pub fn any(&self) -> bool {
        let Self { list, get, set, delete, interactive, db, key } = self;
        *list || *interactive || get.is_some() || set.is_some() || delete.is_some() || db.is_some() || key.is_some()
    }

    /// The command that does the same.
    pub fn command(self) -> Option<ConfigCommand> {
        let Self { list, get, set, delete, interactive, .. } = self;
        let get = get.map(|key| ConfigCommand::Get(GetArgs { key, reveal: false }));
        let set = set.map(|words| ConfigCommand::Set(SetArgs { words, stdin: false }));
        let unset = delete.map(|key| ConfigCommand::Unset(UnsetArgs { keys: vec![key] }));
        let edit = interactive.then_some(ConfigCommand::Edit);
        get.or(set).or(unset).or(edit).or_else(|| list.then(|| ConfigCommand::List(ListArgs::default())))
    }
}

/// `config ...`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Every key with its value and where it comes from
    #[command(after_help = LIST_HELP)]
    List(ListArgs),
    /// One value
    Get(GetArgs),
    /// Change settings in the store, all or none
    #[command(after_help = SET_HELP)]
    Set(SetArgs),
    /// Take settings out of the store, all or none: what the next source says holds again
    #[command(after_help = UNSET_HELP)]
    Unset(UnsetArgs),
    /// Look at settings and change them on the whole screen, with search, choices, a test of the databases and a review
    Edit,
    /// What a key does, what is allowed, its default
    Describe(DescribeArgs),
    /// What the store holds, as TOML
    #[command(after_help = EXPORT_HELP)]
    Export(ExportSettingsArgs),
    /// Take settings from files into the store, all or none
    #[command(after_help = IMPORT_HELP)]
    Import(ImportArgs),
    /// Who changed what in the store, newest first; secrets are not shown
    Audit(AuditArgs),
    /// The key of the store
    #[command(subcommand)]
    Key(KeyCommand),
    /// Tokens with which programs use the page's interface
    #[command(subcommand)]
    Token(TokenCommand),
}

/// `config token ...`
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// A new token, on stdout, this once
    Create {
        /// What it is for, such as home-assistant
        name: String,
        /// What it may
        #[arg(long, value_enum, default_value_t = ScopeArg::Read)]
        scope: ScopeArg,
    },
    /// Every token's name and scope
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Take a token back: from now on it is none
    Revoke {
        /// Its name
        name: String,
    },
}

/// What a token may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ScopeArg {
    /// Read
    Read,
    /// Read, switch, and repeat or drop what a backend refused
    Control,
}

/// `config audit`
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// As JSON, one object a line
    #[arg(long)]
    pub json: bool,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
}

/// `config key ...`
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make the key of a new installation, in the file .config_key beside the store. The first start does it by itself; this is for
    /// those who want to keep a copy before. Refused where there is a key or a store
    Generate {
        /// Show a new key on stdout and keep it nowhere: for the environment or Vault
        #[arg(long)]
        print: bool,
    },
    /// Give the store a new random key; killed at any moment, it leaves a store and its key. A running daemon goes on
    ///
    /// A key that is in the file .config_key (or the published default key) is replaced there. One that comes from the environment
    /// cannot be: `config key generate --print` makes a new one, which goes into a private file for --new-key; afterwards it must take
    /// the old one's place in the environment. Backups of the store that were made before need the old key.
    Rotate {
        /// Take the key in FILE instead of a random one
        #[arg(long, value_name = "FILE")]
        new_key: Option<std::path::PathBuf>,
    },
    /// Where the key in force comes from, where the store is, and whether it opens; never the key
    ShowLocation {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

const LIST_HELP: &str = "\
Sources, highest first: environment, vault, store, default. \"!\" marks what is not allowed; the exit code is then 2.

  filamentbox config list heating_control.      one section
  filamentbox config list --changed             what somebody has set";

const SET_HELP: &str = "\
Nothing is changed unless everything is allowed together. A running daemon takes the change within 2 s.

  filamentbox config set heating_control.max_temp_c 45
  filamentbox config set heating_control.min_temp_c=43 heating_control.max_temp_c=45
  filamentbox config set database.influxdb_v2.token               asks, and shows nothing
  filamentbox config set database.influxdb_v2.token < token.txt   reads it

`filamentbox config describe KEY` says what a key does and what is allowed.";

const UNSET_HELP: &str = "\
A key that is not in the store is no error. A key that this version does not know can be taken out too.

  filamentbox config unset heating_control.max_temp_c";

const EXPORT_HELP: &str = "\
What comes from the environment or from Vault is not in the store, and not in the file.

  filamentbox config export > settings.toml
  (umask 077; filamentbox config export --with-secrets > backup.toml)";

const IMPORT_HELP: &str = "\
Keys that no file names stay as they are. Of two values for one key the later one counts. \"-\" is TOML from stdin.

  filamentbox config import settings.toml --dry-run
  filamentbox config import settings.toml";

/// `config list`
#[derive(Debug, Default, Args)]
pub struct ListArgs {
    /// Only keys that begin so
    pub prefix: Option<String>,
    /// Only what is not at its default
    #[arg(long)]
    pub changed: bool,
    /// As JSON
    #[arg(long)]
    pub json: bool,
    /// Show secrets too
    #[arg(long)]
    pub reveal: bool,
    /// As `run --simulate` would have them
    #[arg(long)]
    pub simulate: bool,
}

/// `config get`
#[derive(Debug, Args)]
pub struct GetArgs {
    /// The dotted key
    pub key: String,
    /// Show it even if it is a secret
    #[arg(long)]
    pub reveal: bool,
}

/// `config set`
#[derive(Debug, Args)]
pub struct SetArgs {
    /// Keys and values: KEY VALUE, or KEY=VALUE; several change together. "-" as a value is read from stdin; a secret without a
    /// value is asked for, or read from stdin where that is no terminal
    #[arg(required = true, value_name = "KEY VALUE", allow_negative_numbers = true)]
    pub words: Vec<String>,
    /// Read the value of the last key from stdin
    #[arg(long)]
    pub stdin: bool,
}

/// `config unset`
#[derive(Debug, Args)]
pub struct UnsetArgs {
    /// The dotted keys
    #[arg(required = true, value_name = "KEY")]
    pub keys: Vec<String>,
}

/// `config export`
#[derive(Debug, Args)]
pub struct ExportSettingsArgs {
    /// Secrets too, in plain text
    #[arg(long)]
    pub with_secrets: bool,
}

/// `config import`
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// TOML (- for stdin); or of the Python original: config.yaml, .env, filamentbox_config.db, unsent_batches.db, or the
    /// folder with them
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Only say what would change
    #[arg(long)]
    pub dry_run: bool,
    /// Import the rest where a setting is refused, instead of nothing
    #[arg(long)]
    pub skip_refused: bool,
}

/// `config describe`
#[derive(Debug, Args)]
pub struct DescribeArgs {
    /// The dotted key, or the beginning of several [default: all]
    pub key: Option<String>,
    /// All keys as the page docs/CONFIGURATION.md
    #[arg(long, hide = true)]
    pub markdown: bool,
}
