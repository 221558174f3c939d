//! The hook that is a URL: one POST request, by the rules of the backends' HTTP. Only its host is ever shown: the path of a webhook is
//! often all that it takes to use it.

use std::time::Duration;

use reqwest::{Client, Url};
use serde_json::{Map, Value};

use super::{HookError, LIMIT};
use crate::sinks::http::{client, trouble};

/// A server that does not even open a connection in this time is down.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Where the authority of a server of one's own goes: there is no setting for it.
const CERTIFICATES: &str = "the system's (/usr/local/share/ca-certificates, then update-ca-certificates)";

/// A URL. It cannot be printed.
pub(super) struct Webhook {
    url: Url,
}

impl Webhook {
    /// `None` when there is no URL.
    pub(super) fn parse(text: &str) -> Result<Option<Self>, String> {
        if text.is_empty() {
            return Ok(None);
        }
        let refused =
            |why: &str| format!("the value is not allowed ({why}); allowed: http://HOST[:PORT][/PATH] or https://...");
        let url = Url::parse(text).map_err(|error| refused(&error.to_string()))?;
        match url.scheme() {
            "http" | "https" => Ok(Some(Self { url })),
            _ => Err(refused("another scheme")),
        }
    }

    /// Sends the alert's `fields`.
    pub(super) fn post(&self, fields: &Map<String, Value>) -> Result<(), HookError> {
        let client = client(&self.url, Vec::new(), CONNECT_TIMEOUT, LIMIT)
            .map_err(|error| HookError::Webhook(trouble(error, &self.server(), CERTIFICATES)))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(HookError::Start)?;
        let outcome = runtime.block_on(self.send(&client, fields));
        // A name that is still being looked up holds up no further alert.
        runtime.shutdown_background();
        outcome
    }

    async fn send(&self, client: &Client, fields: &Map<String, Value>) -> Result<(), HookError> {
        let request = client.post(self.url.clone()).json(fields);
        match request.send().await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(HookError::Webhook(format!("{} answered {}", self.server(), answer.status()))),
            Err(error) => Err(HookError::Webhook(trouble(error, &self.server(), CERTIFICATES))),
        }
    }

    fn server(&self) -> String {
        self.url.origin().ascii_serialization()
    }
}
