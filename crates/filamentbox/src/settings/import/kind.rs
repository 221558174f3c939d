//! What a file is, by its content: names are often changed. Only for text that is nothing in particular the name decides.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::{Unreadable, database, env_file, yaml};

/// A kind of file of the original's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// Its encrypted settings. Where it is, it holds.
    Store,
    /// Its environment; what it says holds over the YAML file.
    EnvFile,
    /// Its plain settings.
    Yaml,
    /// Points that it could not deliver.
    Backlog,
}

impl Kind {
    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Store => "the original's encrypted settings",
            Self::EnvFile => "an environment file",
            Self::Yaml => "the original's settings in YAML",
            Self::Backlog => "points that the original could not deliver",
        }
    }
}

/// A file of the original's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// Where.
    pub path: PathBuf,
    /// What.
    pub kind: Kind,
}

/// The names in the original's folder.
const NAMES: [&str; 4] = ["filamentbox_config.db", ".env", "config.yaml", "unsent_batches.db"];
/// No file of settings is larger.
const TEXT_BYTES_MAX: u64 = 1 << 20;
/// The beginning of a SQLite file.
const SQLITE: &[u8] = b"SQLite format 3\0";
/// The smallest page of SQLite: an encrypted database has as many bytes, or a multiple.
const PAGE_BYTES_MIN: u64 = 512;

/// What the file at `path` is; `None` when it is nothing of the original's, but may be TOML.
///
/// # Errors
/// It cannot be read, or is a database of something else.
pub fn recognise(path: &Path) -> Result<Option<Kind>, Unreadable> {
    let mut file = File::open(path).map_err(unreadable)?;
    let bytes = file.metadata().map_err(unreadable)?.len();
    let mut head = Vec::new();
    file.by_ref().take(TEXT_BYTES_MAX).read_to_end(&mut head).map_err(unreadable)?;
    if head.starts_with(SQLITE) {
        let tables = database::tables(path)?;
        let has = |name: &str| tables.iter().any(|table| table == name);
        return match (has("unsent_batches"), has("config")) {
            (true, _) => Ok(Some(Kind::Backlog)),
            (false, true) => Ok(Some(Kind::Store)),
            _ => Err(Unreadable("it is a database, but neither settings nor a backlog of the original".to_owned())),
        };
    }
    let Ok(text) = std::str::from_utf8(&head) else {
        return if bytes > 0 && bytes.is_multiple_of(PAGE_BYTES_MIN) {
            Ok(Some(Kind::Store))
        } else {
            Err(Unreadable("it is neither text nor a database".to_owned()))
        };
    };
    // A name that promises a kind of text is believed, so that a mistake in the file is told as what it is.
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("yaml" | "yml") => return Ok(Some(Kind::Yaml)),
        Some("env") => return Ok(Some(Kind::EnvFile)),
        _ if path.file_name().is_some_and(|name| name == ".env") => return Ok(Some(Kind::EnvFile)),
        _ if env_file::looks_like(text) => return Ok(Some(Kind::EnvFile)),
        _ => {}
    }
    // TOML is hardly ever YAML of nested maps: its `=` stands where a colon should.
    let is_yaml = yaml::read(text).is_ok_and(|settings| !settings.is_empty());
    Ok(is_yaml.then_some(Kind::Yaml))
}

/// The original's files in `folder`, by their names. A name that is there and holds something else is an error.
///
/// # Errors
/// [`Unreadable`], with the file's path.
pub fn find_in(folder: &Path) -> Result<Vec<Place>, Unreadable> {
    let mut places = Vec::new();
    for path in NAMES.map(|name| folder.join(name)).into_iter().filter(|path| path.is_file()) {
        let kind = recognise(&path).map_err(|problem| Unreadable(format!("{}: {problem}", path.display())))?;
        // An empty file, or one of comments only, holds nothing.
        places.extend(kind.map(|kind| Place { path, kind }));
    }
    Ok(places)
}

/// Whether it is a database that nobody encrypted.
pub(super) fn is_plain(path: &Path) -> bool {
    let mut head = [0; SQLITE.len()];
    File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok() && head == SQLITE
}

/// The file as text.
pub(super) fn text(path: &Path) -> Result<String, Unreadable> {
    let mut text = String::new();
    let mut file = File::open(path).map_err(unreadable)?.take(TEXT_BYTES_MAX + 1);
    file.read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > TEXT_BYTES_MAX {
        return Err(Unreadable(format!("it is larger than {TEXT_BYTES_MAX} bytes: no file of settings is")));
    }
    // Windows editors put a mark of byte order before it.
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

fn unreadable(error: std::io::Error) -> Unreadable {
    Unreadable(format!("it cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(content: &[u8], expected: Result<Option<Kind>, &str>) {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("some.file");
        std::fs::write(&path, content).expect("written");
        match (recognise(&path), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected),
            (Err(Unreadable(problem)), Err(part)) => assert!(problem.contains(part), "{problem}"),
            (found, expected) => panic!("{found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn by_content() {
        check(b"influxdb:\n  host: nas\n", Ok(Some(Kind::Yaml)));
        check(b"# our box\nexport INFLUXDB_HOST=nas\n", Ok(Some(Kind::EnvFile)));
        check(b"[sensor]\ntype = \"dht22\"\n", Ok(None));
        check(b"sensor.type = \"dht22\"\n", Ok(None));
        check(b"", Ok(None));
        check(&[0xfe; 4096], Ok(Some(Kind::Store)));
        check(&[0xfe; 4095], Err("neither text nor a database"));
    }

    #[test]
    fn databases_by_their_tables() {
        let folder = tempfile::tempdir().expect("temporary folder");
        for (table, expected) in [("unsent_batches", Some(Kind::Backlog)), ("config", Some(Kind::Store)), ("x", None)] {
            let path = folder.path().join(table);
            let connection = rusqlite::Connection::open(&path).expect("made");
            connection.execute_batch(&format!("CREATE TABLE {table}(id INTEGER)")).expect("made");
            assert_eq!(recognise(&path).ok().flatten(), expected, "{table}");
        }
    }
}
