//! The page's files as the real binary serves them. What the page does in a browser is tested elsewhere.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use crate::support::Daemon;

/// An answer: status line and headers, and the body.
struct Answer {
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn status(&self) -> &str {
        self.head.split(' ').nth(1).expect("a status")
    }

    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }
}

fn ask(daemon: &Daemon, method: &str, path: &str, headers: &str) -> Answer {
    let mut stream = UnixStream::connect(daemon.folder().join("filamentbox.sock")).expect("the daemon's socket");
    write!(stream, "{method} {path} HTTP/1.0\r\nHost: localhost\r\n{headers}\r\n").expect("a request");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a head");
    Answer { head: String::from_utf8(answer[..end].to_vec()).expect("UTF-8"), body: answer[end + 4..].to_vec() }
}

/// What a tag's attribute names, as `/assets/main-3K5.js`.
fn named<'a>(html: &'a str, attribute: &str) -> Vec<&'a str> {
    let begin = format!(" {attribute}=\"");
    html.split(&begin).skip(1).map(|part| part.split('"').next().expect("a closing quote")).collect()
}

#[test]
fn every_address_of_the_page_serves_it_and_its_files() {
    let mut daemon = Daemon::new();
    daemon.start();
    let index = ask(&daemon, "GET", "/", "");
    assert_eq!(index.status(), "200", "{}", index.head);
    for path in ["/history", "/events", "/outbox", "/settings", "/setup", "/login", "/kiosk", "/kiosk?box=main"] {
        let page = ask(&daemon, "GET", path, "");
        assert_eq!((page.status(), page.text()), ("200", index.text()), "{path}");
    }
    assert_eq!(index.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(index.header("cache-control"), Some("no-cache"), "an update is seen at once");
    let files = [named(index.text(), "src"), named(index.text(), "href")].concat();
    assert!(files.len() >= 4, "script, style, icon and manifest: {files:?}");
    for file in files {
        let answer = ask(&daemon, "GET", file, "");
        assert_eq!(answer.status(), "200", "{file}");
        assert!(!answer.body.is_empty(), "{file}");
        let lasting = answer.header("cache-control").expect("a header");
        assert_eq!(lasting.contains("immutable"), file.starts_with("/assets/"), "{file}: {lasting}");
    }
    for path in
        ["/nothing", "/assets/nothing.js", "/assets/", "/assets/../index.html", "/index.html", "/%2e%2e/etc/passwd"]
    {
        assert_eq!(ask(&daemon, "GET", path, "").status(), "404", "{path}");
    }
    assert_eq!(ask(&daemon, "POST", "/", "Content-Length: 0\r\n").status(), "405");
}

#[test]
fn a_file_is_sent_once_and_compressed_to_those_who_take_it() {
    let mut daemon = Daemon::new();
    daemon.start();
    let plain = ask(&daemon, "GET", "/", "");
    let compressed = ask(&daemon, "GET", "/", "Accept-Encoding: gzip, br\r\n");
    assert_eq!((plain.header("content-encoding"), compressed.header("content-encoding")), (None, Some("gzip")));
    assert!(compressed.body.starts_with(&[0x1f, 0x8b]) && compressed.body.len() < plain.body.len());
    assert_eq!(compressed.header("vary"), Some("accept-encoding"));
    let etag = plain.header("etag").expect("an entity tag");
    let known = ask(&daemon, "GET", "/history", &format!("If-None-Match: {etag}\r\n"));
    assert_eq!((known.status(), known.body.len()), ("304", 0));
    let head = ask(&daemon, "HEAD", "/", "");
    assert_eq!((head.status(), head.body.len(), head.header("etag")), ("200", 0, Some(etag)));
}

#[test]
fn the_page_brings_everything_with_it() {
    let mut daemon = Daemon::new();
    daemon.start();
    let index = ask(&daemon, "GET", "/", "");
    // Nothing that the policy `default-src 'self'` forbids, and nothing from elsewhere.
    for forbidden in ["<style", "style=", "onload=", "<script>", "http://", "https://", "//cdn"] {
        assert!(!index.text().contains(forbidden), "{forbidden} is in the page");
    }
    assert!(index.text().contains("lang=\"en\"") && index.text().contains("name=\"viewport\""));
    let worker = ask(&daemon, "GET", "/sw.js", "");
    assert_eq!(worker.header("cache-control"), Some("no-cache"), "else an old page is kept for a day");
    for file in named(index.text(), "src") {
        assert!(worker.text().contains(file), "{file} is not kept for a start without a network");
    }
    let manifest = ask(&daemon, "GET", "/manifest.webmanifest", "");
    let manifest: serde_json::Value = serde_json::from_slice(&manifest.body).expect("JSON");
    for icon in manifest["icons"].as_array().expect("icons") {
        let path = icon["src"].as_str().expect("a path");
        assert_eq!(ask(&daemon, "GET", path, "").status(), "200", "{path}");
    }
}
