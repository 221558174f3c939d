//! TLS to a PostgreSQL server: which certificates are good enough for which `ssl_mode`, as libpq has it
//! (postgresql.org/docs/current/libpq-ssl.html, table 32.1).
//!
//! Three differences from libpq, all stricter or harmless: a checked certificate must be of version 3; its host name must be in
//! `subjectAltName`, as the common name alone does not count (RFC 9525, 2); and without `ca_file` the system's authorities are trusted by
//! `verify-ca` and `verify-full`, where libpq gives up.

use std::sync::Arc;

use filamentbox_core::config::ConfigError;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// How much TLS is wanted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum SslMode {
    /// Never.
    Disable,
    /// When the server refuses plain connections.
    Allow,
    /// When the server has it.
    Prefer,
    /// Always; the certificate is checked only where `ca_file` is given.
    Require,
    /// Always, with a certificate from a trusted authority, for whatever host.
    VerifyCa,
    /// Always, with a certificate from a trusted authority for this host.
    VerifyFull,
}

impl SslMode {
    /// The words of `ssl_mode`.
    pub(super) const WORDS: &[&str] = &["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

    /// The mode that a word means; the key allows no other words.
    pub(super) fn of(word: &str) -> Self {
        match word {
            "disable" => Self::Disable,
            "allow" => Self::Allow,
            "prefer" => Self::Prefer,
            "require" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            _ => Self::VerifyFull,
        }
    }
}

/// The client's side of TLS for `mode`. `ca_file` is the value of `ca_key`, `mode_key` the key of the mode.
///
/// # Errors
/// `ca_file` has no certificate, or one is needed and the system has none either.
pub(super) fn client(mode: SslMode, mode_key: &str, ca_file: &str, ca_key: &str) -> Result<ClientConfig, ConfigError> {
    let provider = CryptoProvider::get_default().cloned().unwrap_or_else(|| Arc::new(ring::default_provider()));
    let authorities = match (ca_file.is_empty(), mode >= SslMode::VerifyCa) {
        (false, _) if mode > SslMode::Disable => Some(own_authorities(ca_file).map_err(|why| {
            let problem = format!(
                "{ca_file:?} is not allowed ({why}); allowed: a readable PEM file with at least one certificate"
            );
            ConfigError { key: ca_key.to_owned(), problem }
        })?),
        (true, true) => {
            let found = rustls_native_certs::load_native_certs().certs;
            if found.is_empty() {
                let problem = format!(
                    "this system has no certificate authorities (Debian: install ca-certificates): give {ca_key}"
                );
                return Err(ConfigError { key: mode_key.to_owned(), problem });
            }
            Some(found)
        }
        _ => None,
    };
    let checks = authorities.map(|certificates| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates.iter().cloned());
        Checks { roots, certificates, name: mode == SslMode::VerifyFull }
    });
    let verifier = Verifier { checks, algorithms: provider.signature_verification_algorithms };
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring supports the default versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}

fn own_authorities(path: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = std::fs::read(path).map_err(|error| error.to_string())?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let certificates = certificates.map_err(|error| error.to_string())?;
    let (usable, _) = RootCertStore::empty().add_parsable_certificates(certificates.iter().cloned());
    if usable == 0 { Err("there is no certificate in it".to_owned()) } else { Ok(certificates) }
}

/// What a certificate must stand.
#[derive(Debug)]
struct Checks {
    roots: RootCertStore,
    /// The same, as they are in the file.
    certificates: Vec<CertificateDer<'static>>,
    /// Whether it must name the host.
    name: bool,
}

#[derive(Debug)]
struct Verifier {
    /// `None`: encrypted, with whomever it is.
    checks: Option<Checks>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(checks) = &self.checks else { return Ok(ServerCertVerified::assertion()) };
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.algorithms.all;
        match verify_server_cert_signed_by_trust_anchor(&certificate, &checks.roots, intermediates, now, algorithms) {
            // `openssl req -x509` makes a certificate that is its own authority. Where it is in the owner's file itself, it is trusted,
            // as OpenSSL does. Its dates have been checked by then.
            Err(Error::InvalidCertificate(CertificateError::Other(why)))
                if why.to_string().contains("CaUsedAsEndEntity") && checks.certificates.contains(end_entity) => {}
            verdict => verdict?,
        }
        if checks.name {
            verify_server_name(&certificate, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self.checks {
            Some(_) => verify_tls12_signature(message, certificate, signature, &self.algorithms),
            // It would prove nothing, and fails for certificates of version 1, which PostgreSQL's own instructions make.
            None => Ok(HandshakeSignatureValid::assertion()),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self.checks {
            Some(_) => verify_tls13_signature(message, certificate, signature, &self.algorithms),
            None => Ok(HandshakeSignatureValid::assertion()),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
