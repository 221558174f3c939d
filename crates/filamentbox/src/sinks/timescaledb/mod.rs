//! TimescaleDB, and plain PostgreSQL (from version 10 on): one row a reading, over PostgreSQL's own protocol.
//!
//! A row's identity is (time, tags), held by a unique index, and rows that are there already are skipped: what is sent again changes
//! nothing. A batch is one statement, stored whole or not at all; `synchronous_commit` is on, so "accepted" means "on the
//! server's disk". The measurement's name is not stored: the table stands for it.
//!
//! The connection is kept open between batches and given up after any trouble but a refused row. It lives in the runtime of the
//! one who writes.
//!
//! Not here: retention and compression, which TimescaleDB offers under another licence and the owner sets.

mod connect;
mod errors;
mod schema;
mod tls;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use filamentbox_core::config::{ConfigError, KeySpec, Kind, Settings};
use filamentbox_core::sample::{BoxName, FIELD_NAMES, Point};
use filamentbox_core::time::UnixTime;
use rustls::pki_types::ServerName;
use tokio::time::timeout;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Statement};
use tracing::info;

use super::secrets::Secrets;
use super::{Finding, Health, History, Labels, Sink, SinkError, SinkKind, Tested, Written};
use crate::runtime::clock::wall;
use connect::{Driver, NoConnection, Place, Server};
use errors::Names;
use tls::SslMode;

const NAME: &str = "timescaledb";
const TITLE: &str = "TimescaleDB";
const HOST: &str = "database.timescaledb.host";
const PORT: &str = "database.timescaledb.port";
const DATABASE: &str = "database.timescaledb.database";
const USERNAME: &str = "database.timescaledb.username";
const PASSWORD: &str = "database.timescaledb.password";
const TABLE: &str = "database.timescaledb.table";
const SSL_MODE: &str = "database.timescaledb.ssl_mode";
const CA_FILE: &str = "database.timescaledb.ca_file";

/// TimescaleDB and PostgreSQL.
pub const KIND: SinkKind =
    SinkKind { name: NAME, title: TITLE, keys: KEYS, history: History::AnyOrder, settle: Duration::ZERO, open };

const TEXT: Kind = Kind::Text { max_bytes: 255 };
const KEYS: &[KeySpec] = &[
    KeySpec::new(
        HOST,
        TEXT,
        "localhost",
        "",
        "The server's name or address; a folder (/var/run/postgresql) for its Unix socket there.",
    ),
    KeySpec::new(PORT, Kind::Integer { min: 1, max: 65_535 }, "5432", "", "The server's port."),
    KeySpec::new(DATABASE, TEXT, "", "", "The database's name; required. It must exist.").required(),
    KeySpec::new(USERNAME, TEXT, "", "", "The user's (role's) name; required.").required(),
    KeySpec::new(PASSWORD, Kind::Secret, "", "", "The user's password; empty where the server asks for none."),
    KeySpec::new(
        TABLE,
        Kind::Text { max_bytes: 127 },
        "environment_data",
        "",
        "The table, or SCHEMA.TABLE; upper and lower case differ. It is created when it does not exist and the user may create it.",
    ),
    KeySpec::new(
        SSL_MODE,
        Kind::Choice(SslMode::WORDS),
        "prefer",
        "",
        "How much TLS is wanted; the words and their meaning are libpq's. Over a network that others share: verify-full.",
    ),
    KeySpec::new(
        CA_FILE,
        Kind::Text { max_bytes: 1024 },
        "",
        "",
        "A PEM file with the certificate authorities to trust, instead of the system's. With it, require checks as verify-ca does.",
    ),
];

/// Connecting, preparing and one statement; 5000 points take a healthy server 0.1 s, and a busy one with an SD card some seconds.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(30);
/// What a session does first. The server gives up a little before we do, so that no statement outlives its writer and waits for
/// a lock beside its own repetition.
const PREPARE: &str = "SET statement_timeout = 25000; SELECT pg_catalog.set_config('synchronous_commit', 'on', false) \
                       WHERE pg_catalog.current_setting('synchronous_commit') = 'off';";
/// Of a row's tags as JSON, in bytes: an index entry may have 2704, the time and its own head included.
const TAGS_MAX: usize = 2048;
const BOX_TAG: &str = "box";
/// What the server's list of sessions shows.
const APPLICATION: &str = "filamentbox";

struct TimescaleDb {
    server: Server,
    names: Names,
    /// The table's schema, when it was named.
    schema: Option<String>,
    tags: serde_json::Map<String, serde_json::Value>,
    tag_box: bool,
    session: Option<Session>,
    /// Installing the extension was tried; it can end the connection, so once is enough.
    extension_tried: bool,
}

/// A connection, ready to insert.
struct Session {
    client: Client,
    insert: Statement,
    driver: Driver,
}

fn open(settings: &Settings, labels: &Labels) -> Result<Box<dyn Sink>, ConfigError> {
    for (key, what) in [(HOST, "the server's name"), (DATABASE, "the database's name"), (USERNAME, "the user's name")] {
        if settings.text(key).is_empty() {
            let problem = format!("an empty text is not allowed with database.type {NAME}; give {what}");
            return Err(ConfigError { key: key.to_owned(), problem });
        }
    }
    let (table, tags) = (settings.text(TABLE), tags(labels)?);
    let names = Names {
        server: String::new(),
        database: settings.text(DATABASE).to_owned(),
        username: settings.text(USERNAME).to_owned(),
        table: schema::table(table, TABLE)?,
        secrets: Secrets::of_login(settings.text(USERNAME), settings.secret(PASSWORD)),
    };
    let server = server(settings, &names)?;
    Ok(Box::new(TimescaleDb {
        names: Names { server: server.shown.clone(), ..names },
        server,
        schema: table.split_once('.').map(|(schema, _)| schema.to_owned()),
        tags,
        tag_box: labels.tag_box,
        session: None,
        extension_tried: false,
    }))
}

fn server(settings: &Settings, names: &Names) -> Result<Server, ConfigError> {
    let host = settings.text(HOST);
    let port = u16::try_from(settings.integer(PORT)).expect("its range is that of a port");
    let mode = SslMode::of(settings.text(SSL_MODE));
    let mut login = tokio_postgres::Config::new();
    login.user(&names.username).dbname(&names.database).application_name(APPLICATION);
    login.ssl_mode(tokio_postgres::config::SslMode::Disable);
    let password = settings.secret(PASSWORD);
    if !password.is_empty() {
        login.password(password.expose());
    }
    if host.starts_with('/') {
        let path = Path::new(host).join(format!(".s.PGSQL.{port}"));
        return Ok(Server { shown: path.display().to_string(), place: Place::Unix(path), login, mode, tls: None });
    }
    let bare = host.trim_matches(['[', ']']);
    let name = ServerName::try_from(bare.to_owned()).map_err(|_| {
        let problem =
            format!("{host:?} is not allowed; allowed: a host name, an IP address, or a folder beginning with /");
        ConfigError { key: HOST.to_owned(), problem }
    })?;
    let tls = tls::client(mode, SSL_MODE, settings.text(CA_FILE), CA_FILE)?;
    let shown = if bare.contains(':') { format!("[{bare}]:{port}") } else { format!("{bare}:{port}") };
    Ok(Server { place: Place::Tcp(bare.to_owned(), port), shown, login, mode, tls: Some((Arc::new(tls), name)) })
}

/// The tags of every row, but for the box.
fn tags(labels: &Labels) -> Result<serde_json::Map<String, serde_json::Value>, ConfigError> {
    let refused = |problem: String| Err(ConfigError { key: "data_collection.tags".to_owned(), problem });
    let mut tags = serde_json::Map::new();
    for (name, value) in &labels.tags {
        if name.contains('\0') || value.contains('\0') {
            return refused(format!("{name:?} is not allowed with {TITLE}; allowed: texts without the character 0"));
        }
        if labels.tag_box && name == BOX_TAG {
            return refused(format!("{name:?} is not allowed with several boxes: that tag tells them apart"));
        }
        tags.insert(name.clone(), value.clone().into());
    }
    let length = serde_json::to_string(&tags).map_or(usize::MAX, |text| text.len());
    if length > TAGS_MAX {
        return refused(format!("{length} bytes of tags are not allowed with {TITLE}; allowed: {TAGS_MAX}, as JSON"));
    }
    Ok(tags)
}

impl Sink for TimescaleDb {
    fn address(&self) -> Option<(String, u16)> {
        match &self.server.place {
            Place::Tcp(host, port) => Some((host.clone(), *port)),
            Place::Unix(_) => None,
        }
    }

    fn write<'a>(&'a mut self, points: &'a [Point]) -> Written<'a> {
        Box::pin(async {
            let written = timeout(TOTAL_TIMEOUT, self.deliver(points)).await;
            written.unwrap_or_else(|_| Err(self.too_slow()))
        })
    }

    fn test(&mut self) -> Tested<'_> {
        Box::pin(async {
            let mut health = Health::unknown();
            if timeout(TOTAL_TIMEOUT, self.examine(&mut health)).await.is_err() {
                health.may_write = Finding::No(self.too_slow().to_string());
            }
            health
        })
    }

    fn close(&mut self) -> Written<'_> {
        Box::pin(async {
            if let Some(Session { client, driver, .. }) = self.session.take() {
                drop(client);
                driver.goodbye().await;
            }
            Ok(())
        })
    }
}

impl TimescaleDb {
    async fn deliver(&mut self, points: &[Point]) -> Result<(), SinkError> {
        // Taken out: if this future is dropped midway, or fails, the connection goes with it.
        let open = self.session.take().filter(|session| !session.client.is_closed());
        let session = match open {
            Some(session) => session,
            None => self.begin().await?,
        };
        let written = self.insert(&session, points).await;
        if matches!(written, Ok(()) | Err(SinkError::Rejected { .. })) {
            self.session = Some(session);
        }
        written
    }

    /// A session with a table that can take points.
    async fn begin(&mut self) -> Result<Session, SinkError> {
        let (client, driver) = self.server.connect().await.map_err(|error| self.no_connection(&error))?;
        client.batch_execute(PREPARE).await.map_err(|error| self.names.explain(&error))?;
        if !schema::is_there(&client, &self.names).await? {
            if !self.extension_tried && schema::lacks_extension(&client, &self.names).await? {
                self.extension_tried = true;
                match client.batch_execute("CREATE EXTENSION IF NOT EXISTS timescaledb").await {
                    Ok(()) => info!("installed the extension timescaledb in the database"),
                    Err(error) => {
                        let why = self.names.explain(&error);
                        info!("the extension timescaledb is not installed, so the table is a plain one: {why}");
                    }
                }
            }
            schema::create_table(&client, &self.names).await?;
        }
        self.prepared(client, driver).await
    }

    async fn prepared(&self, client: Client, driver: Driver) -> Result<Session, SinkError> {
        let insert = client.prepare(&schema::insert(&self.names.table)).await;
        let insert = insert.map_err(|error| self.names.explain(&error))?;
        Ok(Session { client, insert, driver })
    }

    async fn insert(&self, session: &Session, points: &[Point]) -> Result<(), SinkError> {
        let times: Vec<SystemTime> = points.iter().map(|point| system_time(point.at)).collect();
        let boxes: BTreeSet<&BoxName> = points.iter().map(|point| &point.box_name).collect();
        let texts: BTreeMap<&BoxName, String> = boxes.into_iter().map(|name| (name, self.tags_of(name))).collect();
        let tags: Vec<&str> = points.iter().map(|point| texts[&point.box_name].as_str()).collect();
        let mut fields: [Vec<Option<f64>>; FIELD_NAMES.len()] = Default::default();
        for point in points {
            let mut known = point.fields().peekable();
            for (name, column) in FIELD_NAMES.iter().zip(&mut fields) {
                column.push(known.next_if(|field| field.name == *name).map(|field| field.value()));
            }
        }
        let mut columns: Vec<&(dyn ToSql + Sync)> = vec![&times, &tags];
        columns.extend(fields.iter().map(|column| column as &(dyn ToSql + Sync)));
        let inserted = session.client.execute(&session.insert, &columns).await;
        inserted.map(|_rows| ()).map_err(|error| self.names.explain(&error))
    }

    fn tags_of(&self, name: &BoxName) -> String {
        let mut tags = self.tags.clone();
        if self.tag_box {
            tags.insert(BOX_TAG.to_owned(), name.as_str().into());
        }
        serde_json::Value::Object(tags).to_string()
    }

    /// Finds out how the server is, and writes nothing but no rows at all: that needs the same rights, columns and index.
    async fn examine(&mut self, health: &mut Health) {
        let (client, driver) = match self.server.connect().await {
            Ok(connected) => connected,
            Err(error) => {
                let reason = self.no_connection(&error).to_string();
                match error {
                    NoConnection::Unreachable(_) => health.reachable = Finding::No(reason),
                    NoConnection::Unsuitable(_) => {
                        (health.reachable, health.authenticated) = (Finding::Yes, Finding::No(reason))
                    }
                    // Only after the password was found right is it said that there is no such database.
                    NoConnection::Login(error) => match error.code().map(|code| code.code()) {
                        Some("3D000") => {
                            (health.reachable, health.authenticated) = (Finding::Yes, Finding::Yes);
                            health.may_write = Finding::No(reason);
                        }
                        Some(code) if code.starts_with("28") => {
                            (health.reachable, health.authenticated) = (Finding::Yes, Finding::No(reason));
                        }
                        _ => health.reachable = Finding::No(reason),
                    },
                }
                return;
            }
        };
        (health.reachable, health.authenticated) = (Finding::Yes, Finding::Yes);
        health.may_write = match self.would_write(client, driver, health).await {
            Ok(()) => Finding::Yes,
            Err(error) => Finding::No(error.to_string()),
        };
    }

    async fn would_write(&self, client: Client, driver: Driver, health: &mut Health) -> Result<(), SinkError> {
        const ABOUT: &str = "SELECT pg_catalog.current_setting('server_version'), \
                             (SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'timescaledb'), pg_catalog.clock_timestamp()";
        let about = client.prepare(ABOUT).await.map_err(|error| self.names.explain(&error))?;
        let before = wall();
        let row = client.query_one(&about, &[]).await.map_err(|error| self.names.explain(&error))?;
        let after = wall();
        let (version, extension): (&str, Option<&str>) = (row.get(0), row.get(1));
        let number = version.split(' ').next().unwrap_or(version);
        let extension = extension.map_or(String::new(), |version| format!(", TimescaleDB {version}"));
        health.version = Some(self.names.tidy(&format!("PostgreSQL {number}{extension}")));
        if let (Some(before), Some(after)) = (before, after) {
            let server = row.get::<_, SystemTime>(2).duration_since(UNIX_EPOCH).unwrap_or_default();
            let ours = before.millis().midpoint(after.millis());
            health.clock_ahead_ms = i64::try_from(server.as_millis()).ok().map(|server| server - ours);
        }
        if !schema::is_there(&client, &self.names).await? {
            return schema::may_create(&client, &self.names, self.schema.as_deref()).await;
        }
        let session = self.prepared(client, driver).await?;
        self.insert(&session, &[]).await
    }

    fn no_connection(&self, error: &NoConnection) -> SinkError {
        match error {
            NoConnection::Unreachable(reason) => SinkError::Retry { reason: self.names.tidy(reason), after: None },
            NoConnection::Unsuitable(reason) => {
                let reason = format!("{} (check {SSL_MODE}, {CA_FILE} and {PASSWORD})", self.names.tidy(reason));
                SinkError::Misconfigured { reason }
            }
            NoConnection::Login(error) => self.names.explain(error),
        }
    }

    fn too_slow(&self) -> SinkError {
        SinkError::Retry { reason: format!("no answer in time from {}", self.server.shown), after: None }
    }
}

/// Milliseconds, exactly.
fn system_time(at: UnixTime) -> SystemTime {
    let distance = Duration::from_millis(at.millis().unsigned_abs());
    if at.millis() < 0 { UNIX_EPOCH - distance } else { UNIX_EPOCH + distance }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{labels, settings};
    use super::*;

    const GOOD: [(&str, &str); 2] = [(DATABASE, "d"), (USERNAME, "u")];

    #[test]
    fn what_cannot_work_is_refused_at_once() {
        let error = |changes: &[(&str, &str)]| {
            let values: Vec<_> = GOOD.iter().chain(changes).copied().collect();
            open(&settings(&values), &labels()).err().map(|error| error.key)
        };
        assert_eq!(error(&[]), None);
        assert_eq!(error(&[(HOST, "")]).as_deref(), Some(HOST));
        assert_eq!(error(&[(HOST, "http://db")]).as_deref(), Some(HOST));
        for host in ["/run/postgresql", "192.0.2.1", "::1", "[::1]", "db.example", "my_nas"] {
            assert_eq!(error(&[(HOST, host)]), None, "{host}");
        }
        assert_eq!(error(&[(DATABASE, "")]).as_deref(), Some(DATABASE));
        assert_eq!(error(&[(USERNAME, "")]).as_deref(), Some(USERNAME));
        assert_eq!(error(&[(TABLE, "a.b.c")]).as_deref(), Some(TABLE));
        assert_eq!(error(&[(CA_FILE, "/nowhere")]).as_deref(), Some(CA_FILE));
        assert_eq!(error(&[(CA_FILE, "/nowhere"), (SSL_MODE, "disable")]), None);
    }

    #[test]
    fn tags_that_cannot_be_kept_are_refused() {
        let refused = |tags: &[(&str, &str)], tag_box| {
            let tags = tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            open(&settings(&GOOD), &Labels { tags, tag_box, ..labels() }).is_err()
        };
        assert!(!refused(&[("a", "\"ä\\")], true));
        assert!(refused(&[("a", "\0")], false) && refused(&[("\0", "a")], false));
        assert!(refused(&[("box", "a")], true) && !refused(&[("box", "a")], false));
        // {"a":"..."} has eight bytes more.
        assert!(
            !refused(&[("a", &"x".repeat(TAGS_MAX - 8))], false) && refused(&[("a", &"x".repeat(TAGS_MAX - 7))], false)
        );
    }

    #[test]
    fn times_before_1970_are_exact_too() {
        for millis in [0, 1, -1, 1_700_000_000_123, -1_700_000_000_123] {
            let time = system_time(UnixTime::from_millis(millis));
            let back = match time.duration_since(UNIX_EPOCH) {
                Ok(since) => i64::try_from(since.as_millis()).expect("small"),
                Err(before) => -i64::try_from(before.duration().as_millis()).expect("small"),
            };
            assert_eq!(back, millis);
        }
    }
}
