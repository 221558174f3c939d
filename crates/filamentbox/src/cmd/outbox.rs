//! `outbox`

use anyhow::Result;

use super::status::{backend_line, moment};
use crate::cli::JsonArgs;
use crate::client::Client;

pub(super) async fn outbox(args: &JsonArgs, client: &Client) -> Result<()> {
    let answer = client.get("/api/database").await?;
    if args.json {
        super::say(serde_json::to_string_pretty(&answer)?);
        return Ok(());
    }
    let sinks = answer["sinks"].as_array().cloned().unwrap_or_default();
    if sinks.is_empty() {
        super::say("no backend is configured (database.type is none); the history stays in the journal");
    }
    for sink in sinks {
        super::say(backend_line(&sink));
        let totals = &sink["totals"];
        super::say(format_args!(
            "  sampled {} = delivered {} + waiting {} + dead letter {} + superseded {} + evicted {}",
            totals["sampled"],
            totals["delivered"],
            totals["waiting"],
            totals["dead_letter"],
            totals["superseded"],
            totals["evicted"],
        ));
        if let Some(oldest) = sink["oldest_unsent"].as_f64() {
            super::say(format_args!("  oldest waiting point: {}", moment(oldest)));
        }
    }
    Ok(())
}
