//! `heater` and `fan`: answered with the state that resulted, and why.

use anyhow::Result;
use filamentbox_core::command::OutputKind;
use filamentbox_core::sample::BoxName;
use serde_json::json;

use super::Usage;
use super::status::output_line;
use crate::cli::{OverrideArgs, WishArg};
use crate::client::Client;

pub(super) async fn switch(output: OutputKind, args: &OverrideArgs, client: &Client) -> Result<()> {
    let state = match args.state {
        WishArg::On => json!(true),
        WishArg::Off => json!(false),
        WishArg::Auto => json!(null),
    };
    if args.state == WishArg::Auto && args.hold.is_some() {
        return Err(Usage("--for goes with on or off, not with auto".to_owned()).into());
    }
    let Some(box_name) = BoxName::new(&args.box_name) else {
        let name = &args.box_name;
        return Err(Usage(format!("{name:?} is not a box's name; allowed: 1 to 32 of a-z, 0-9, _ and -")).into());
    };
    let mut body = json!({ "state": state });
    if let Some(hold) = args.hold {
        body["seconds"] = json!(hold.as_secs());
    }
    let answer = client.post(&format!("/api/controls/{}?box={box_name}", output.name()), &body).await?;
    super::say(output_line(output.name(), &answer));
    Ok(())
}
