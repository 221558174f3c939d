//! `setup-code`: a fresh one-time code, with which a browser sets the password of the page.

use std::io::IsTerminal as _;

use anyhow::Result;
use qrcodegen::{QrCode, QrCodeEcc};
use serde_json::json;

use super::{complain, say};
use crate::client::Client;

/// Light modules around the code, which readers look for.
const MARGIN: i32 = 2;

pub(super) async fn setup_code(client: &Client) -> Result<()> {
    let answer = client.post("/api/setup/code", &json!({})).await?;
    let code = answer["code"].as_str().unwrap_or_default();
    match answer["url"].as_str() {
        Some(url) => {
            if std::io::stdout().is_terminal()
                && let Ok(drawn) = QrCode::encode_text(url, QrCodeEcc::Low)
            {
                say(drawing(&drawn));
            }
            say(format_args!("open:  {url}\ncode:  {code}"));
        }
        None => {
            say(format_args!("code:  {code}"));
            complain("no page is served now: look at webui.enabled, and at the log of the daemon");
        }
    }
    say(
        "It counts for 15 minutes, for 5 tries, and once; it sets a new password, also in the place of a forgotten one.",
    );
    Ok(())
}

/// Two modules a character, light on dark or dark on light: readers take both.
fn drawing(code: &QrCode) -> String {
    let span = -MARGIN..code.size() + MARGIN;
    let is_light = |x, y| !code.get_module(x, y);
    let mut lines = Vec::new();
    for y in span.clone().step_by(2) {
        let character = |x| match (is_light(x, y), is_light(x, y + 1)) {
            (true, true) => '█',
            (true, false) => '▀',
            (false, true) => '▄',
            (false, false) => ' ',
        };
        lines.push(span.clone().map(character).collect::<String>());
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_fits_a_terminal() {
        let url = "https://[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:50000/setup#code=00000-00000-00000-00000-00000-0";
        let drawn = drawing(&QrCode::encode_text(url, QrCodeEcc::Low).expect("short enough"));
        let lines: Vec<&str> = drawn.lines().collect();
        assert!(lines.len() <= 24 && lines.iter().all(|line| line.chars().count() <= 80), "{drawn}");
        let width = lines[0].chars().count();
        assert!(lines[0] == "█".repeat(width) && lines.iter().all(|line| line.chars().count() == width), "{drawn}");
    }
}
