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
