//! [schemathesis](https://schemathesis.readthedocs.io) asks every route what the OpenAPI document allows, and what it does not: nothing may
//! be answered with a 5xx, with what is not in the document, or in another shape. It is installed by `scripts/install-test-servers.sh`.

use std::path::Path;
use std::process::Command;

use crate::support::{Daemon, is_installed_as};

use super::start;

/// Requests for each route; many times more with `FILAMENTBOX_SOAK=1`.
const EXAMPLES: u32 = 25;
const EXAMPLES_OF_SOAK: u32 = 1000;

/// Where what is allowed depends on more than the document can say: on the key, on `safety.override_max`; and what is refused always.
const VALUES_DEPEND: &str = "
[[operations]]
include-name = \"PUT /api/config/{key}\"
[operations.checks.positive_data_acceptance]
enabled = false
[operations.parameters]
\"path.key\" = [\"safety.max_temp_c\", \"heating_control.enabled\", \"data_collection.tags.x\", \"database.influxdb.host\"]

[[operations]]
include-name = \"POST /api/controls/{output}\"
[operations.checks.positive_data_acceptance]
enabled = false

[[operations]]
include-name = \"POST /api/threads/{name}/{action}\"
[operations.checks.positive_data_acceptance]
enabled = false
[operations.parameters]
\"path.name\" = \"data_collector\"
\"path.action\" = \"restart\"
";

#[test]
fn nothing_that_the_document_allows_or_forbids_is_answered_otherwise_than_it_says() {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/schemathesis/bin/st");
    if !is_installed_as("schemathesis (scripts/install-test-servers.sh)", program.exists()) {
        return;
    }
    let (mut daemon, address) = start();
    let settings = daemon.folder().join("schemathesis.toml");
    std::fs::write(&settings, VALUES_DEPEND).expect("a file");
    let is_soak = std::env::var("FILAMENTBOX_SOAK").is_ok_and(|value| value == "1");
    let examples = if is_soak { EXAMPLES_OF_SOAK } else { EXAMPLES };
    let output = Command::new(program)
        .arg("--config-file")
        .arg(settings)
        .args(["run", &format!("http://{address}/api/openapi.json"), "--no-color", "--continue-on-failure"])
        // An answer without an end: the stream has a test of its own.
        .args(["--exclude-path", "/api/stream"])
        .args(["--seed", "1", "--generation-database", "none", "--max-examples", &examples.to_string()])
        .current_dir(daemon.folder())
        .env_remove("PYTHONPATH")
        .output()
        .expect("schemathesis starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let mistakes = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{mistakes}{}", log(&daemon));
    assert!(!log(&daemon).contains("panicked"), "{}", log(&daemon));
    assert_eq!(daemon.http("GET", "/api/status", "").0, 200, "the daemon goes on");
    assert!(daemon.stop().success(), "and ends in good order");
}

fn log(daemon: &Daemon) -> String {
    std::fs::read_to_string(daemon.folder().join("log")).expect("a log")
}
