//! What is said instead of an answer.

use serde::Serialize;
use utoipa::ToSchema;

/// A refusal: nothing was changed.
#[derive(Serialize, ToSchema)]
pub(crate) struct Refused {
    /// What is wrong, what is allowed, what to do; for people.
    pub(crate) error: String,
}

/// A refusal to set a key.
#[derive(Serialize, ToSchema)]
pub(crate) struct NotSet {
    /// What is wrong, what is allowed, what to do; for people.
    pub(crate) error: String,
    /// Always false.
    pub(crate) valid: bool,
}

/// A refusal to do something.
#[derive(Serialize, ToSchema)]
pub(crate) struct NotDone {
    /// Always false.
    pub(crate) success: bool,
    /// What is wrong, what is allowed, what to do; for people.
    pub(crate) error: String,
}
