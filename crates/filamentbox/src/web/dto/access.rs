//! Who is logged in, and what they may.

use serde::Serialize;
use utoipa::ToSchema;

/// How who asks stands.
#[derive(Serialize, ToSchema)]
pub(crate) struct Session {
    /// `setup` (no password is set yet), `login` (who asks is not logged in), `in`, or `open` (there is no login here).
    pub(crate) state: &'static str,
    /// Whether the box is simulated.
    pub(crate) simulated: bool,
    /// Whether reading needs no login.
    pub(crate) public_read: bool,
    /// What who asks may: of `read`, `control`, `configure`. Some of it only with a password typed within the last 5 minutes.
    pub(crate) rights: Vec<&'static str>,
    /// Until then the password that was typed counts, Unix seconds; null if it does not, or if no wall clock is known.
    pub(crate) confirmed_until: Option<f64>,
    /// The machine's name.
    pub(crate) name: String,
    /// Of the daemon.
    pub(crate) version: &'static str,
}

/// It is done.
#[derive(Serialize, ToSchema)]
pub(crate) struct Done {
    /// Always true.
    pub(crate) success: bool,
}

/// A wrong one-time code.
#[derive(Serialize, ToSchema)]
pub(crate) struct WrongCode {
    /// For people.
    pub(crate) error: String,
    /// So many more wrong ones, and the code counts no more. Not there where it was refused for another reason.
    #[schema(extensions(("x-may-lack" = json!(true))))]
    pub(crate) tries_left: u8,
}

/// Too many tries.
#[derive(Serialize, ToSchema)]
pub(crate) struct TooMany {
    /// For people.
    pub(crate) error: String,
    /// The next one counts in so many seconds, as the header Retry-After says too.
    pub(crate) retry_after: u64,
}

/// A one-time code with which a browser sets the password.
#[derive(Serialize, ToSchema)]
pub(crate) struct SetupCode {
    /// 26 letters and digits, in groups.
    pub(crate) code: String,
    /// Where a browser uses it; null while no page is served.
    pub(crate) url: Option<String>,
    /// It counts until then, Unix seconds; null if no wall clock is known.
    pub(crate) expires: Option<f64>,
}

/// The programs that may use this interface.
#[derive(Serialize, ToSchema)]
pub(crate) struct Tokens {
    pub(crate) tokens: Vec<TokenOfProgram>,
}

/// One program's token; the token itself is not kept.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenOfProgram {
    /// Its name in the settings.
    pub(crate) name: String,
    /// What it may: `read`, or `control`, which is to read and to switch.
    pub(crate) scope: &'static str,
}

/// A new token.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewToken {
    /// Its name in the settings.
    pub(crate) name: String,
    /// What it may: `read`, or `control`, which is to read and to switch.
    pub(crate) scope: &'static str,
    /// The token, shown this once: `Authorization: Bearer TOKEN`.
    pub(crate) token: String,
}
