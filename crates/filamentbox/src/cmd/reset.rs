//! `reset`: a person has looked at the box.

use anyhow::Result;
use serde_json::json;

use crate::client::Client;

pub(super) async fn reset(client: &Client) -> Result<()> {
    let answer = client.post("/api/safety/reset", &json!({})).await?;
    let faults: Vec<&str> =
        answer["faults"].as_array().into_iter().flatten().filter_map(|fault| fault.as_str()).collect();
    if faults.is_empty() {
        super::say("Faults and latches are forgotten. Whatever still holds stops the heat again.");
    } else {
        super::say(format_args!("Latches are forgotten; still there: {}", faults.join("; ")));
    }
    Ok(())
}
