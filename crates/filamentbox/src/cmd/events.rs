//! `events`

use anyhow::Result;
use serde_json::Value;

use super::status::moment;
use crate::cli::EventsArgs;
use crate::client::Client;

pub(super) async fn events(args: &EventsArgs, client: &Client) -> Result<()> {
    let answer = client.get(&format!("/api/events?limit={}", args.limit)).await?;
    for event in answer["events"].as_array().into_iter().flatten() {
        if args.json {
            super::say(event);
        } else {
            let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
            let at = event["timestamp"].as_f64().map_or("time unknown".to_owned(), moment);
            let place = match &event["box"] {
                Value::String(name) => format!("{name}: "),
                _ => String::new(),
            };
            super::say(format_args!("{at}  {:7}  {place}{}", text("severity"), text("message")));
        }
    }
    Ok(())
}
