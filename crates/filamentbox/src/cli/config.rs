//! `config ...`: the settings' part of the command line, with the original tool's flags.

use clap::{Args, Subcommand};

/// `config`
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub struct ConfigArgs {
    /// What to do
    #[command(subcommand)]
    pub command: Option<ConfigCommand>,
}

/// `config ...`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Every key with its value and where it comes from
    List(ListArgs),
    /// One value
    Get(GetArgs),
    /// Change settings in the store; all of them or, if one is refused, none
    Set(SetArgs),
    /// Take settings out of the store: the next source holds again
    Unset(UnsetArgs),
    /// What a key does, what is allowed, its default
    Describe(DescribeArgs),
    /// The store's settings as TOML, to stdout
    Export(ExportSettingsArgs),
    /// Take settings from files into the store; all of them or, if one is refused, none
    Import(ImportArgs),
    /// Who changed what in the store, newest first; secrets are not shown
    Audit(AuditArgs),
    /// The key of the store
    #[command(subcommand)]
    Key(KeyCommand),
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

/// `config list`
#[derive(Debug, Default, Args)]
pub struct ListArgs {
    /// Only keys that begin so
    pub prefix: Option<String>,
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
    /// The dotted key and its value; several pairs are changed together. A secret alone, without VALUE, is asked for, or
    /// read from stdin
    #[arg(required = true, value_name = "KEY VALUE", allow_negative_numbers = true)]
    pub words: Vec<String>,
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
    /// The files
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<std::path::PathBuf>,
    /// Only say what would change
    #[arg(long)]
    pub dry_run: bool,
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
