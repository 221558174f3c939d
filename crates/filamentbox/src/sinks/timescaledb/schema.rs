//! The table: its name, its SQL, and whether the one that is there will do.
//!
//! A missing table is created, and made a hypertable where TimescaleDB is installed or can be. A table that exists is never changed:
//! what it lacks is said, with the SQL that adds it.

use filamentbox_core::config::ConfigError;
use filamentbox_core::sample::FIELD_NAMES;
use tokio_postgres::Client;
use tracing::info;

use super::super::SinkError;
use super::errors::Names;

/// PostgreSQL cuts longer names (NAMEDATALEN), so two of them could become one.
const NAME_MAX: usize = 63;
/// Who has created the table at the same moment: unique violation in the catalogue, duplicate object.
const RACES: [&str; 3] = ["23505", "42710", "42P07"];

/// The table's name for SQL, from `name` or `schema.name`, the value of `key`. Case counts: it is quoted.
pub(super) fn table(text: &str, key: &str) -> Result<String, ConfigError> {
    let parts: Vec<&str> = text.split('.').collect();
    let is_name = |part: &&str| (1..=NAME_MAX).contains(&part.len());
    if parts.len() > 2 || !parts.iter().all(is_name) {
        let problem = format!(
            "{text:?} is not allowed; allowed: TABLE or SCHEMA.TABLE, each of 1 to {NAME_MAX} bytes and without dots"
        );
        return Err(ConfigError { key: key.to_owned(), problem });
    }
    Ok(parts.into_iter().map(quoted).collect::<Vec<_>>().join("."))
}

/// An identifier (postgresql.org/docs/current/sql-syntax-lexical.html, 4.1.1).
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Whether the column is one that we write.
pub(super) fn is_ours(column: &str) -> bool {
    column == "time" || column == "tags" || FIELD_NAMES.contains(&column)
}

/// One statement for any number of rows: an array a column.
pub(super) fn insert(table: &str) -> String {
    let fields = FIELD_NAMES.join(", ");
    let arrays: Vec<String> = (0..FIELD_NAMES.len()).map(|i| format!("${}::float8[]", i + 3)).collect();
    format!(
        "INSERT INTO {table} (time, tags, {fields}) SELECT time, tags::jsonb, {fields} \
         FROM unnest($1::timestamptz[], $2::text[], {}) AS point (time, tags, {fields}) ON CONFLICT (time, tags) DO NOTHING",
        arrays.join(", ")
    )
}

/// The SQL of the table.
pub(super) fn create(table: &str) -> String {
    let fields: Vec<String> = FIELD_NAMES.iter().map(|field| format!("{field} DOUBLE PRECISION, ")).collect();
    format!(
        "CREATE TABLE IF NOT EXISTS {table} (time TIMESTAMPTZ NOT NULL, {}tags JSONB NOT NULL DEFAULT '{{}}', UNIQUE (time, tags));",
        fields.concat()
    )
}

/// The SQL of the index that makes re-sends harmless.
pub(super) fn unique_index(table: &str) -> String {
    format!("CREATE UNIQUE INDEX ON {table} (time, tags);")
}

/// What to do about a column of the owner's that must have a value.
pub(super) fn not_null_remedy(table: &str, column: &str) -> String {
    let column = quoted(column);
    format!(
        "FilamentBox has no value for it: ALTER TABLE {table} ALTER COLUMN {column} DROP NOT NULL; or give it a default with SET DEFAULT"
    )
}

/// A column of a table that exists.
struct Column {
    name: String,
    /// It must have a value and has no default.
    required: bool,
}

/// What keeps a table with these columns from taking points, if anything; all of it.
fn unfit(table: &str, columns: &[Column]) -> Option<String> {
    let is_there = |name: &str| columns.iter().any(|column| column.name == name);
    let types = [("time", "TIMESTAMPTZ NOT NULL"), ("tags", "JSONB NOT NULL DEFAULT '{}'")];
    let types = types.into_iter().chain(FIELD_NAMES.map(|field| (field, "DOUBLE PRECISION")));
    let missing: Vec<String> =
        types.filter(|(name, _)| !is_there(name)).map(|(name, kind)| format!("ADD COLUMN {name} {kind}")).collect();
    let mut problems = Vec::new();
    if !missing.is_empty() {
        let mut problem = format!("it lacks columns: ALTER TABLE {table} {};", missing.join(", "));
        if !is_there("time") || !is_there("tags") {
            problem.push(' ');
            problem.push_str(&unique_index(table));
        }
        problems.push(problem);
    }
    for column in columns.iter().filter(|column| column.required && !is_ours(&column.name)) {
        problems.push(format!(
            "its column {} is NOT NULL; {}",
            quoted(&column.name),
            not_null_remedy(table, &column.name)
        ));
    }
    (!problems.is_empty()).then(|| format!("the table {table} cannot take points: {}", problems.join("; and ")))
}

/// The table as it is: `None` when there is none.
async fn columns(client: &Client, names: &Names) -> Result<Option<Vec<Column>>, SinkError> {
    const COLUMNS: &str = "SELECT attname::text, attnotnull AND NOT atthasdef AND attidentity = '' FROM pg_catalog.pg_attribute \
                           WHERE attrelid = pg_catalog.to_regclass($1) AND attnum > 0 AND NOT attisdropped";
    let rows = client.query(COLUMNS, &[&names.table]).await.map_err(|error| names.explain(&error))?;
    let columns: Vec<Column> = rows.iter().map(|row| Column { name: row.get(0), required: row.get(1) }).collect();
    Ok((!columns.is_empty()).then_some(columns))
}

/// Whether there is a table.
///
/// # Errors
/// [`SinkError::Misconfigured`] when there is one that cannot take points.
pub(super) async fn is_there(client: &Client, names: &Names) -> Result<bool, SinkError> {
    let Some(columns) = columns(client, names).await? else { return Ok(false) };
    match unfit(&names.table, &columns) {
        Some(reason) => Err(SinkError::Misconfigured { reason }),
        None => Ok(true),
    }
}

/// What is missing when the user may not create the table: for `database test`, which creates nothing.
pub(super) async fn may_create(client: &Client, names: &Names, schema: Option<&str>) -> Result<(), SinkError> {
    const RIGHT: &str = "SELECT coalesce(pg_catalog.has_schema_privilege(coalesce($1, pg_catalog.current_schema()), 'CREATE'), false), \
                         pg_catalog.current_setting('transaction_read_only') = 'on'";
    let row = client.query_one(RIGHT, &[&schema]).await.map_err(|error| names.explain(&error))?;
    match (row.get(0), row.get(1)) {
        (_, true) => {
            Err(SinkError::Retry { reason: format!("PostgreSQL at {} is read-only", names.server), after: None })
        }
        (false, false) => Err(missing(names, "has no right to create it")),
        (true, false) => Ok(()),
    }
}

/// Creates the table, and a hypertable of it where there is TimescaleDB: both or nothing.
pub(super) async fn create_table(client: &Client, names: &Names) -> Result<(), SinkError> {
    let mut statements = create(&names.table);
    let extension = "SELECT nspname::text FROM pg_catalog.pg_extension JOIN pg_catalog.pg_namespace n ON n.oid = extnamespace \
                     WHERE extname = 'timescaledb'";
    let row = client.query_opt(extension, &[]).await.map_err(|error| names.explain(&error))?;
    if let Some(row) = &row {
        let schema = quoted(row.get(0));
        let literal = names.table.replace('\'', "''");
        statements.push_str(&format!("SELECT {schema}.create_hypertable('{literal}', 'time', if_not_exists => true);"));
    }
    // Several statements in one message are one transaction.
    match client.batch_execute(&format!("SET standard_conforming_strings = on; {statements}")).await {
        Ok(()) => {
            info!(table = names.table, hypertable = row.is_some(), "created the table");
            Ok(())
        }
        Err(error) => Err(match error.as_db_error().map(|refusal| (refusal.code().code(), refusal.message())) {
            Some((code, message)) if RACES.contains(&code) => {
                SinkError::Retry { reason: names.tidy(&format!("creating {}: {message}", names.table)), after: None }
            }
            Some(("42501" | "3F000", message)) => {
                missing(names, &format!("may not create it ({})", names.tidy(message)))
            }
            _ => names.explain(&error),
        }),
    }
}

/// Whether the extension could be installed: it is on the server, and not in the database.
pub(super) async fn lacks_extension(client: &Client, names: &Names) -> Result<bool, SinkError> {
    const AVAILABLE: &str =
        "SELECT 1 FROM pg_catalog.pg_available_extensions WHERE name = 'timescaledb' AND installed_version IS NULL";
    let row = client.query_opt(AVAILABLE, &[]).await.map_err(|error| names.explain(&error))?;
    Ok(row.is_some())
}

fn missing(names: &Names, why: &str) -> SinkError {
    let (table, username) = (&names.table, quoted(&names.username));
    let reason = format!(
        "the table {table} does not exist in the database {}, and the user {username} {why}; as the database's owner: {} \
         GRANT SELECT, INSERT ON {table} TO {username};",
        quoted(&names.database),
        create(table)
    );
    SinkError::Misconfigured { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_names_are_quoted_or_refused() {
        let named = |text: &str| table(text, "database.timescaledb.table").ok();
        let longest = "x".repeat(NAME_MAX);
        for (text, expected) in [
            ("environment_data", "\"environment_data\""),
            ("Climate.Box \"2\"", "\"Climate\".\"Box \"\"2\"\"\""),
            ("drop table x; --", "\"drop table x; --\""),
            (&longest, &quoted(&longest)),
        ] {
            assert_eq!(named(text).as_deref(), Some(expected), "{text}");
        }
        for text in ["", ".", "a.", ".a", "a.b.c", &"x".repeat(NAME_MAX + 1), &"ä".repeat(32)] {
            assert_eq!(named(text), None, "{text}");
        }
    }

    #[test]
    fn a_table_that_lacks_something_is_told_what() {
        let column = |name: &str, required| Column { name: name.to_owned(), required };
        let mut columns: Vec<Column> =
            ["time", "tags"].into_iter().chain(FIELD_NAMES).map(|name| column(name, name == "time")).collect();
        assert_eq!(unfit("t", &columns), None);
        columns.push(column("note", false));
        assert_eq!(unfit("t", &columns), None, "more columns do no harm");
        columns.push(column("owner", true));
        let text = unfit("t", &columns).expect("owner must have a value");
        assert!(text.contains("ALTER TABLE t ALTER COLUMN \"owner\" DROP NOT NULL"), "{text}");
        columns.retain(|column| column.name != "tags" && column.name != "humidity");
        let text = unfit("t", &columns).expect("columns are missing");
        let sql = "ALTER TABLE t ADD COLUMN tags JSONB NOT NULL DEFAULT '{}', ADD COLUMN humidity DOUBLE PRECISION; CREATE UNIQUE INDEX ON t (time, tags);";
        assert!(text.contains(sql) && text.contains("\"owner\""), "{text}");
    }
}
