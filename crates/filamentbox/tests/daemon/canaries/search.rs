//! Secrets made for one test, and the search for them in every form.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;

use crate::support::percent_encoded;

/// A planted secret: where it was planted, and the random part that nothing else contains.
struct Canary {
    place: String,
    needles: Vec<String>,
}

/// Everything planted in one run, and every place where one was found.
#[derive(Default)]
pub(super) struct Canaries {
    planted: Vec<Canary>,
    /// Where it was found, in which place it had been planted, and in which form.
    pub(super) found: BTreeSet<(String, String, String)>,
    /// Bytes that were searched, and in how many texts.
    pub(super) searched: (usize, usize),
}

impl Canaries {
    /// A new secret for `place`: letters and digits, which stand as they are in URLs, headers and JSON.
    pub(super) fn plant(&mut self, place: &str) -> String {
        let mut random = [0_u8; 12];
        std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut random)).expect("random bytes");
        let core: String = random.iter().map(|byte| format!("{byte:02X}z")).collect();
        self.planted.push(Canary { place: place.to_owned(), needles: needles(&core) });
        core
    }

    /// A new secret for `place` that has to be encoded in URLs, JSON and base64.
    pub(super) fn plant_awkward(&mut self, place: &str) -> String {
        format!("p\"/+%&{}'\\=", self.plant(place))
    }

    pub(super) fn count(&self) -> usize {
        self.planted.len()
    }

    /// Searches `bytes`, which were found at `place`, for all but those planted in `except`.
    pub(super) fn search_except(&mut self, place: &str, bytes: &[u8], except: &[&str]) {
        self.searched.0 += bytes.len();
        self.searched.1 += 1;
        let text = String::from_utf8_lossy(bytes);
        for canary in self.planted.iter().filter(|canary| !except.contains(&canary.place.as_str())) {
            for needle in canary.needles.iter().filter(|needle| text.contains(needle.as_str())) {
                self.found.insert((place.to_owned(), canary.place.clone(), needle.clone()));
            }
        }
    }

    pub(super) fn search(&mut self, place: &str, bytes: &[u8]) {
        self.search_except(place, bytes, &[]);
    }

    /// Every file in `folder` and below it.
    pub(super) fn search_folder(&mut self, folder: &Path) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let (path, kind) = (entry.path(), entry.file_type().expect("a kind"));
            if kind.is_dir() {
                self.search_folder(&path);
            } else if kind.is_file()
                && let Ok(bytes) = std::fs::read(&path)
            {
                self.search(&path.display().to_string(), &bytes);
            }
        }
    }

    #[track_caller]
    pub(super) fn assert_none_found(&self) {
        let (bytes, texts) = self.searched;
        println!("{} secrets searched for in {texts} texts of {bytes} bytes", self.count());
        assert!(self.found.is_empty(), "found: {:#?}", self.found);
    }
}

/// The forms of `core`: as it is, in hexadecimal, percent-encoded throughout, and inside base64 at each of the three alignments.
fn needles(core: &str) -> Vec<String> {
    let hex: String = core.bytes().map(|byte| format!("{byte:02x}")).collect();
    let percent: String = core.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let mut needles = vec![core.to_owned(), hex.to_uppercase(), hex, percent.to_lowercase(), percent];
    for before in 0..3 {
        let encoded = BASE64_STANDARD_NO_PAD.encode([&vec![b'-'; before], core.as_bytes()].concat());
        // Without the letters that depend on what stands before and after.
        needles.push(encoded[(before * 8).div_ceil(6)..(before + core.len()) * 8 / 6].to_owned());
    }
    needles
}

#[test]
fn a_secret_is_found_in_every_form() {
    let mut canaries = Canaries::default();
    let secret = canaries.plant_awkward("a password");
    let json = serde_json::Value::from(secret.as_str()).to_string();
    let base64 = |text: &str| BASE64_STANDARD_NO_PAD.encode(text);
    let forms = [
        secret.clone(),
        json.replace('p', "\\u0070"),
        percent_encoded(&secret),
        secret.bytes().map(|byte| format!("%{byte:02x}")).collect(),
        secret.bytes().map(|byte| format!("{byte:02X}")).collect(),
        base64(&secret),
        base64(&format!("a:{secret}, and more")),
        base64(&format!("an:{secret}!")),
    ];
    for (index, form) in forms.iter().enumerate() {
        canaries.search(&format!("form {index}"), format!("before {form} after").as_bytes());
        assert_eq!(canaries.found.len(), index + 1, "{form}");
    }
    canaries.search_except("elsewhere", secret.as_bytes(), &["a password"]);
    assert_eq!(canaries.found.len(), forms.len());
}
