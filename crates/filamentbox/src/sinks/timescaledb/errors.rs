//! What an error of PostgreSQL means for the points (postgresql.org/docs/current/errcodes-appendix.html).

use tokio_postgres::error::DbError;

use super::super::SinkError;
use super::super::http::{causes, tidy};
use super::super::secrets::Secrets;
use super::schema;

/// What to do after a SQLSTATE.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Meaning {
    /// It may work later.
    Retry,
    /// One of the rows is at fault.
    Rejected,
    /// Settings, rights or the table must change.
    Misconfigured,
}

/// `column` is the column that the server names, if it names one.
pub(super) fn meaning(code: &str, column: Option<&str>) -> Meaning {
    match (code, code.get(..2).unwrap_or_default()) {
        // Read-only: a standby, which becomes the primary, or a hosted server that is full.
        ("25006", _) => Meaning::Retry,
        // No such table: it has been dropped, and the next try creates it or says why not.
        ("42P01", _) => Meaning::Retry,
        // NULL in a column of the table's owner: every row has it.
        ("23502", _) if column.is_some_and(|column| !schema::is_ours(column)) => Meaning::Misconfigured,
        // Data, constraints, WITH CHECK OPTION, a trigger's RAISE.
        (_, "22" | "23" | "44" | "P0") => Meaning::Rejected,
        // Connection, transaction rolled back, resources, locks, operator, system, defect.
        (_, "08" | "40" | "53" | "55" | "57" | "58" | "XX") => Meaning::Retry,
        // Nothing is dropped over what is not known.
        _ => Meaning::Misconfigured,
    }
}

/// Names for reasons and remedies.
pub(super) struct Names {
    /// The server.
    pub(super) server: String,
    /// The database.
    pub(super) database: String,
    /// The user.
    pub(super) username: String,
    /// The table, quoted for SQL.
    pub(super) table: String,
    /// Never shown.
    pub(super) secrets: Secrets,
}

impl Names {
    /// `text` in one line, without the password.
    pub(super) fn tidy(&self, text: &str) -> String {
        tidy(&self.secrets.redact(text))
    }

    /// What an error of a query means.
    pub(super) fn explain(&self, error: &tokio_postgres::Error) -> SinkError {
        match error.as_db_error() {
            Some(refusal) => self.explain_refusal(refusal),
            None => {
                let reason = self.tidy(&format!("lost the connection to {}: {}", self.server, causes(error)));
                SinkError::Retry { reason, after: None }
            }
        }
    }

    /// What an error that the server has reported means.
    pub(super) fn explain_refusal(&self, refusal: &DbError) -> SinkError {
        let code = refusal.code().code();
        let mut text = format!("PostgreSQL at {} answered {code}: {}", self.server, refusal.message());
        if let Some(detail) = refusal.detail() {
            text.push_str(": ");
            text.push_str(detail);
        }
        let mut reason = self.tidy(&text);
        match meaning(code, refusal.column()) {
            Meaning::Retry => SinkError::Retry { reason, after: None },
            Meaning::Rejected => SinkError::Rejected { reason, lasting: false },
            Meaning::Misconfigured => {
                if let Some(remedy) = self.remedy(code, refusal.column()) {
                    reason.push_str(&format!(" ({remedy})"));
                }
                SinkError::Misconfigured { reason }
            }
        }
    }

    /// What to do, where the server's words do not say it.
    fn remedy(&self, code: &str, column: Option<&str>) -> Option<String> {
        let Self { database, username, table, .. } = self;
        let (database, username) = (schema::quoted(database), schema::quoted(username));
        Some(match (code, column) {
            ("28P01", _) => "check user name and password".to_owned(),
            ("28000", _) => "check user name and password, and the server's pg_hba.conf".to_owned(),
            ("3D000", _) => {
                format!(
                    "as an administrator: CREATE DATABASE {database} OWNER {username}; or change database.timescaledb.database"
                )
            }
            ("42501", _) => format!("as the table's owner: GRANT SELECT, INSERT ON {table} TO {username};"),
            ("42P10", _) => format!("as the table's owner: {}", schema::unique_index(table)),
            ("23502", Some(column)) => schema::not_null_remedy(table, column),
            ("54000", _) => "the tags are too long for an index".to_owned(),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sqlstate_has_its_meaning() {
        let table: [(Meaning, &[&str]); 3] = [
            (
                Meaning::Rejected,
                &["22003", "22008", "22P02", "22P05", "23502", "23503", "23505", "23514", "44000", "P0001"],
            ),
            (
                Meaning::Retry,
                &[
                    "08006", "25006", "40001", "40P01", "42P01", "53100", "53200", "53300", "55P03", "57014", "57P01",
                    "57P03", "58030", "XX000", "XX002",
                ],
            ),
            (
                Meaning::Misconfigured,
                &[
                    "", "0A000", "28000", "28P01", "3D000", "3F000", "42501", "42703", "42804", "42P10", "54000",
                    "99999",
                ],
            ),
        ];
        for (expected, codes) in table {
            for code in codes {
                assert_eq!(meaning(code, None), expected, "{code}");
            }
        }
    }

    #[test]
    fn a_missing_value_is_the_rows_fault_or_the_tables() {
        assert_eq!(meaning("23502", Some("pressure")), Meaning::Rejected);
        assert_eq!(meaning("23502", Some("owner")), Meaning::Misconfigured);
        assert_eq!(meaning("23514", Some("owner")), Meaning::Rejected);
    }

    #[test]
    fn the_password_is_never_shown() {
        let names = Names {
            server: "db:5432".to_owned(),
            database: "d".to_owned(),
            username: "u".to_owned(),
            table: "\"t\"".to_owned(),
            secrets: Secrets::of_login("u", &"s3cret".into()),
        };
        assert_eq!(names.tidy("no\n\"s3cret\""), "no \"***\"");
    }
}
