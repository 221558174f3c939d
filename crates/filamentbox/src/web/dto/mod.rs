//! The JSON that leaves the daemon, a file a subject. Times are Unix seconds; what is not known is null, and never left out.

mod access;
mod boxes;
mod database;
mod events;
mod history;
mod notifications;
mod refusal;
mod settings;
mod status;
mod threads;

pub(super) use access::{Done, NewToken, Session, SetupCode, TokenOfProgram, Tokens, TooMany, WrongCode};
pub(super) use boxes::{Controls, Safety, Sensor, Switched, controls, output, output_kind, safety, sensor};
pub(super) use database::{Backend, Backends, Letters, LettersChanged, Tested, Tests, backend, letter};
pub(super) use events::{Events, event};
pub(super) use history::{Columns, History, WasRead};
pub(super) use notifications::{Forgotten, Notifications, notification};
pub(super) use refusal::{NotDone, NotSet, Refused};
pub(super) use settings::{
    AllSettings, DescribedSetting, ListedSetting, NotSetAll, RefusedKey, SettingChanged, SettingsSection,
    SettingsStatus, ShownSetting, new_value, new_values,
};
pub(super) use status::{Faults, Status};
pub(super) use threads::{Streamed, Thread, Threads};
