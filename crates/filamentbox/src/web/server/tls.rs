//! The port's certificate and key, from files of the owner's, and in words what is wrong with them.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;

use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, RootCertStore, ServerConfig};
use zeroize::Zeroizing;

use super::limits::PEM_MAX;
use crate::sinks::tls::date;

/// Paths of PEM files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Files {
    /// The certificate, followed by those between it and its authority.
    pub(super) cert: String,
    pub(super) key: String,
}

/// What the files hold.
pub(super) struct Loaded {
    pub(super) config: Arc<ServerConfig>,
    pub(super) chain: Vec<CertificateDer<'static>>,
    /// What is weak about it; it works nevertheless.
    pub(super) warnings: Vec<String>,
}

impl Files {
    /// Reads the files; `now` is the wall clock, where it is known.
    ///
    /// # Errors
    /// What is wrong, with which key, and what to do.
    pub(super) fn load(&self, now: Option<UnixTime>) -> Result<Loaded, String> {
        let (cert, key) = (format!("webui.tls_cert: {}", self.cert), format!("webui.tls_key: {}", self.key));
        let (pem, _) = read(&self.cert).map_err(|problem| format!("{cert} {problem}"))?;
        let chain = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|problem| format!("{cert} is not PEM: {problem}"))?;
        let Some(first) = chain.first() else {
            return Err(format!("{cert} holds no certificate; a PEM file with -----BEGIN CERTIFICATE----- is needed"));
        };
        let (pem, mode) = read(&self.key).map_err(|problem| format!("{key} {problem}"))?;
        let private = PrivateKeyDer::from_pem_slice(&pem).map_err(|problem| match problem {
            pem::Error::NoItemsFound => format!(
                "{key} holds no key that can be used; allowed: PEM with PRIVATE KEY, RSA PRIVATE KEY or EC PRIVATE KEY, \
                 not encrypted (`openssl pkey -in OLD -out NEW` takes a passphrase away)"
            ),
            other => format!("{key} is not PEM: {other}"),
        })?;
        let mut warnings: Vec<String> = now.and_then(|now| out_of_date(first, now)).into_iter().collect();
        if mode & 0o007 != 0 {
            warnings.push(format!("{key} can be read by every user of this machine: chmod o= it"));
        }
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|problem| problem.to_string())?
            .with_no_client_auth()
            .with_single_cert(chain.clone(), private)
            .map_err(|problem| match problem {
                Error::InconsistentKeys(_) => {
                    format!("{key} does not belong to the certificate in {}; give the two that were made together", self.cert)
                }
                Error::General(problem) => {
                    format!("{key} is none that TLS can use ({problem}); allowed: RSA from 2048 bits, ECDSA P-256 or P-384, Ed25519")
                }
                other => format!("{cert} is not accepted: {other}"),
            })?;
        Ok(Loaded { config: Arc::new(config), chain, warnings })
    }
}

/// A file's bytes and its mode.
fn read(path: &str) -> Result<(Zeroizing<Vec<u8>>, u32), String> {
    let cannot = |problem: std::io::Error| match problem.kind() {
        ErrorKind::PermissionDenied => {
            let user = rustix::process::geteuid().as_raw();
            format!("cannot be read by user {user}, as whom the daemon runs; give it a copy that it may read")
        }
        _ => format!("cannot be read ({problem})"),
    };
    let file = File::open(path).map_err(cannot)?;
    let facts = file.metadata().map_err(cannot)?;
    if !facts.is_file() || facts.len() > PEM_MAX {
        return Err(format!("is not a PEM file: a file of up to {PEM_MAX} bytes is needed"));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(facts.len()).unwrap_or_default()));
    file.take(PEM_MAX).read_to_end(&mut bytes).map_err(cannot)?;
    Ok((bytes, facts.mode()))
}

/// Whether `now` lies outside of what the certificate says of itself. (Who signed it is the browsers' question, so nobody is trusted here;
/// the time is looked at first.)
fn out_of_date(certificate: &CertificateDer<'_>, now: UnixTime) -> Option<String> {
    let parsed = ParsedCertificate::try_from(certificate).ok()?;
    let algorithms = ring::default_provider().signature_verification_algorithms.all;
    let found = verify_server_cert_signed_by_trust_anchor(&parsed, &RootCertStore::empty(), &[], now, algorithms);
    let day = |time| date(time).map_or(String::new(), |day| format!(" {day}"));
    match found {
        Err(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => Some(format!(
            "the certificate of the page has ended{}: browsers warn of it, and programs refuse it; renew it",
            day(&not_after)
        )),
        Err(Error::InvalidCertificate(CertificateError::NotValidYetContext { not_before, .. })) => {
            Some(format!("the certificate of the page begins only{}: is this machine's clock right?", day(&not_before)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use rcgen::{CertificateParams, KeyPair, date_time_ymd};
    use tempfile::TempDir;

    use super::*;

    struct Case {
        folder: TempDir,
        files: Files,
    }

    fn case() -> Case {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        let files = Files { cert: path("cert.pem"), key: path("key.pem") };
        let case = Case { folder, files };
        let (cert, key) = made(2026, 2027);
        case.write("cert.pem", &cert).write("key.pem", &key)
    }

    /// A certificate and its key.
    fn made(from: i32, to: i32) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec!["box.local".to_owned()]).expect("a name");
        (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
        (params.self_signed(&key).expect("a certificate").pem(), key.serialize_pem())
    }

    impl Case {
        fn write(self, name: &str, text: &str) -> Self {
            let path = self.folder.path().join(name);
            fs::write(&path, text).expect("writable");
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o640)).expect("ours");
            self
        }

        #[track_caller]
        fn check(&self, expected: Result<&[&str], &str>) {
            // 2026-06-01.
            let now = UnixTime::since_unix_epoch(Duration::from_secs(1_780_272_000));
            match (self.files.load(Some(now)), expected) {
                (Ok(loaded), Ok(words)) => {
                    assert_eq!(loaded.warnings.len(), words.len(), "{:?}", loaded.warnings);
                    for (warning, word) in loaded.warnings.iter().zip(words) {
                        assert!(warning.contains(word), "{warning}");
                    }
                }
                (Err(problem), Err(word)) => assert!(problem.contains(word), "{problem}"),
                (loaded, expected) => panic!("{:?}, expected {expected:?}", loaded.map(|loaded| loaded.warnings)),
            }
        }
    }

    #[test]
    fn what_fits_is_taken_and_what_is_weak_is_said() {
        case().check(Ok(&[]));
        let (cert, key) = made(2020, 2021);
        case().write("cert.pem", &cert).write("key.pem", &key).check(Ok(&["has ended 2021-01-01"]));
        let (cert, key) = made(2030, 2031);
        case().write("cert.pem", &cert).write("key.pem", &key).check(Ok(&["begins only 2030-01-01"]));
        let open = case();
        fs::set_permissions(&open.files.key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("ours");
        open.check(Ok(&["chmod o="]));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_key() {
        let (cert, key) = made(2026, 2027);
        case().write("key.pem", &key).check(Err("does not belong to the certificate"));
        case().write("key.pem", &cert).check(Err("webui.tls_key"));
        case().write("cert.pem", &key).check(Err("holds no certificate"));
        case().write("cert.pem", "").check(Err("holds no certificate"));
        let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        case().write("key.pem", &encrypted).check(Err("takes a passphrase away"));
        let broken = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
        case().write("cert.pem", broken).check(Err("is not PEM"));
        let mut gone = case();
        gone.files.key.push('x');
        gone.check(Err("cannot be read (No such file"));
        gone.files.key = gone.folder.path().to_string_lossy().into_owned();
        gone.check(Err("is not a PEM file"));
    }
}
