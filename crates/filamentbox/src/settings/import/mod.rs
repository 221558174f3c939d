//! What the Python original left behind, read and put into our words: `config.yaml`, `.env`, its encrypted store, its backlog.
//!
//! Nothing is written here, and nothing of the original's: its databases are opened read-only, or as a copy where it did not close
//! them. Storing settings is `settings::Sources`, taking in points is `journal`, and telling people is the command's.

mod backlog;
mod database;
mod defaults;
mod env_file;
mod kind;
mod plan;
mod store;
mod yaml;

use std::path::PathBuf;

use zeroize::Zeroizing;

pub use backlog::{Backlog, Batch, PointsOf, points_of};
pub use defaults::Difference;
pub use kind::{Kind, Place, find_in, recognise};
pub use plan::{Fate, Line, Plan, plan};

/// Why a file cannot be read, for people; the path is the caller's.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

/// A setting as a file has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Raw {
    /// The name there.
    pub name: String,
    /// The dotted key that this name stands for in the original's programs; empty when for none.
    pub key: String,
    /// Its text.
    pub text: String,
    /// Where in the file; 0 in a database.
    pub line: usize,
}

/// The settings of one file.
#[derive(Clone, Debug)]
pub struct Source {
    /// The file.
    pub path: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// What it holds.
    pub settings: Vec<Raw>,
    /// How an encrypted store was opened, for people.
    pub opened_with: Option<String>,
}

/// A key to try on an encrypted store, and where it came from, for people.
pub type StoreKey = (String, Zeroizing<String>);

/// Reads the settings of a file of this kind. `keys` are tried before the store's own `.config_key` and the published default.
///
/// # Errors
/// [`Unreadable`].
pub fn read(path: &std::path::Path, kind: Kind, keys: &[StoreKey]) -> Result<Source, Unreadable> {
    let (settings, opened_with) = match kind {
        Kind::Yaml => (yaml::read(&kind::text(path)?)?, None),
        Kind::EnvFile => (env_file::read(&kind::text(path)?)?, None),
        Kind::Store => store::read(path, keys)?,
        Kind::Backlog => (Vec::new(), None),
    };
    Ok(Source { path: path.to_owned(), kind, settings, opened_with })
}
