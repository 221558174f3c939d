//! `outbox`

use anyhow::Result;
use serde_json::{Value, json};

use super::status::{backend_line, moment};
use crate::cli::{DeadletterArgs, DeadletterCommand, DeadletterListArgs, OutboxArgs, OutboxCommand};
use crate::client::Client;

pub(super) async fn outbox(args: &OutboxArgs, client: &Client) -> Result<()> {
    match &args.command {
        None => show(args.json, client).await,
        Some(OutboxCommand::Deadletter(DeadletterCommand::List(args))) => list(args, client).await,
        Some(OutboxCommand::Deadletter(DeadletterCommand::Retry(args))) => {
            let count = change("retry", args, client).await?;
            super::say(format_args!(
                "{count} dead letters are sent again; `outbox deadletter list` shows what is refused once more"
            ));
            Ok(())
        }
        Some(OutboxCommand::Deadletter(DeadletterCommand::Drop(args))) => {
            let count = change("drop", args, client).await?;
            super::say(format_args!("{count} dead letters are gone, and count as evicted"));
            Ok(())
        }
    }
}

async fn show(as_json: bool, client: &Client) -> Result<()> {
    let answer = client.get("/api/database").await?;
    if as_json {
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

async fn list(args: &DeadletterListArgs, client: &Client) -> Result<()> {
    let mut answer = client.get("/api/database/deadletters").await?;
    let letters: Vec<Value> = answer["deadletters"].as_array().cloned().unwrap_or_default();
    let of_backend = |letter: &Value| args.backend.as_ref().is_none_or(|name| letter["backend"] == name.as_str());
    let letters: Vec<Value> = letters.into_iter().filter(of_backend).collect();
    if args.json {
        answer["deadletters"] = Value::Array(letters);
        super::say(serde_json::to_string_pretty(&answer)?);
        return Ok(());
    }
    if letters.is_empty() {
        super::say("no dead letters: no backend has refused a point for good");
    }
    for letter in letters {
        let at = letter["timestamp"].as_f64().map(moment).unwrap_or_default();
        let again = if letter["retry"] == true { " (will be sent again)" } else { "" };
        let text = |name: &str| letter[name].as_str().unwrap_or_default().to_owned();
        super::say(format_args!("{}  {}  {at}  {}{again}", letter["id"], text("backend"), text("reason")));
    }
    Ok(())
}

/// How many it was.
async fn change(what: &str, args: &DeadletterArgs, client: &Client) -> Result<u64> {
    let chosen = json!({ "backend": args.backend, "id": args.id });
    let answer = client.post(&format!("/api/database/deadletters/{what}"), &chosen).await?;
    Ok(answer["count"].as_u64().unwrap_or(0))
}
