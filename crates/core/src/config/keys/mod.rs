//! Every key of core, a file a section. Sinks and sensors bring their own keys with their descriptors.

mod clock;
mod collection;
mod control;
mod storage;
mod webui;

use super::KeySpec;

/// Every key of core.
pub(super) fn all() -> impl Iterator<Item = &'static KeySpec> {
    [collection::KEYS, control::KEYS, storage::KEYS, clock::KEYS, webui::KEYS].into_iter().flatten()
}
