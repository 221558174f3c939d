//! The web page: is it there, is it locked, can others read along.

use serde_json::Value;

use super::finding::{Check, Finding, Step, run, say};
use super::system::{Daemon, System};

const PAGE: Check = Check::working("page", "page", "page");
const PASSWORD: Check = Check::working("page", "page-password", "password");
const PRIVACY: Check = Check::working("page", "page-privacy", "privacy");

pub(super) fn checks(system: &System) -> Vec<Finding> {
    if !system.settings.switch("webui.enabled") {
        return vec![PAGE.ok("it is switched off (webui.enabled)")];
    }
    let Daemon::Running(status) = &system.daemon else { return vec![PAGE.skip("no daemon that could be asked")] };
    let mut findings = vec![served(&status["web"])];
    // A simulated box is nobody's, and its page is open.
    if status["simulated"] != true {
        findings.push(password(system));
        findings.extend(status["web"]["url"].as_str().map(|url| privacy(system, url)));
    }
    findings
}

fn served(web: &Value) -> Finding {
    let (url, error) = (web["url"].as_str(), web["error"].as_str());
    let mend = || {
        [say("see what is set, and change it; the daemon goes by it at once:"), run("filamentbox config list webui")]
    };
    match (url, error) {
        (Some(url), None) => PAGE.ok(format!("is at {url}")),
        (Some(url), Some(error)) => PAGE.warn(format!("is at {url}, but: {error}")).mend(mend()),
        (None, Some(error)) => PAGE.fail(error).mend(mend()),
        (None, None) => PAGE.warn("the daemon has no page, though the settings here want one").mend(mend()),
    }
}

fn password(system: &System) -> Finding {
    if system.settings.secret("webui.password").is_empty() {
        return PASSWORD.warn("none is set here: the page is locked until one is, but for switching outputs off").mend(
            [say("make a one-time code, and open the address that comes with it:"), run("filamentbox setup-code")],
        );
    }
    PASSWORD.ok("is set")
}

fn privacy(system: &System, url: &str) -> Finding {
    let is_local = ["127.0.0.1", "localhost", "::1"].contains(&system.settings.text("webui.host"));
    match url.starts_with("https://") {
        true => PRIVACY.ok("HTTPS: nobody on the network reads along"),
        false if is_local => PRIVACY.ok("plain HTTP, for this machine only"),
        false => PRIVACY
            .warn("plain HTTP: whoever is on the same network can read the password as it is typed")
            .mend(steps()),
    }
}

fn steps() -> [Step; 2] {
    [
        say("on a network that is not only yours, give the page a certificate (docs/SERVER.md shows how to make one):"),
        run("filamentbox config set webui.tls_cert=CERTIFICATE.pem webui.tls_key=KEY.pem"),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::finding::Status::{self, Fail, Ok, Skip, Warn};
    use super::super::testing::{Tree, statuses};
    use super::*;

    fn running(url: Value, error: Value) -> Daemon {
        Daemon::Running(json!({ "simulated": false, "web": { "url": url, "error": error } }))
    }

    #[track_caller]
    fn check(tree: Tree, daemon: Daemon, id: &str, expected: &[Status]) {
        let findings = checks(&tree.daemon(daemon).system());
        assert_eq!(statuses(&findings, id), expected, "{findings:?}");
    }

    #[test]
    fn the_page_in_each_state() {
        let url = || json!("http://10.0.0.2:5000");
        check(Tree::pi_4(), running(url(), Value::Null), "page", &[Ok]);
        check(Tree::pi_4(), running(url(), json!("expired")), "page", &[Warn]);
        check(Tree::pi_4(), running(Value::Null, json!("taken")), "page", &[Fail]);
        check(Tree::pi_4(), running(Value::Null, Value::Null), "page", &[Warn]);
        check(Tree::pi_4(), Daemon::Absent, "page", &[Skip]);
        check(Tree::pi_4().set("webui.enabled", "false"), Daemon::Absent, "page", &[Ok]);
    }

    #[test]
    fn who_can_get_in_and_who_can_read_along() {
        let at = |url: &str| running(json!(url), Value::Null);
        check(Tree::pi_4(), at("http://10.0.0.2:5000"), "page-password", &[Warn]);
        let locked = || Tree::pi_4().set("webui.password", "correct horse battery");
        check(locked(), at("http://10.0.0.2:5000"), "page-password", &[Ok]);
        check(locked(), at("http://10.0.0.2:5000"), "page-privacy", &[Warn]);
        check(locked(), at("https://10.0.0.2:5000"), "page-privacy", &[Ok]);
        check(locked().set("webui.host", "127.0.0.1"), at("http://127.0.0.1:5000"), "page-privacy", &[Ok]);
        let simulated =
            Daemon::Running(json!({ "simulated": true, "web": { "url": "http://127.0.0.1:5000", "error": null } }));
        check(Tree::pi_4(), simulated, "page-password", &[]);
    }
}
