//! The server's side of TLS.

use crate::serve::error::ServeError;
use crate::serve::options::TlsFiles;
use pgwire::tokio::TlsAcceptor;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::rustls::{ServerConfig, crypto};

/// The protocol's name in ALPN, for clients that start TLS at once.
const ALPN: &[u8] = b"postgresql";

/// The acceptor of TLS connections, and the certificate as PEM.
pub(in crate::serve) struct Tls {
    pub(in crate::serve) acceptor: TlsAcceptor,
    pub(in crate::serve) certificate: Vec<u8>,
}

/// Reads the certificate and its key.
///
/// # Errors
/// [`ServeError::Tls`] when a file cannot be read or is empty, or the certificate and the key do not match.
pub(in crate::serve) fn load(files: &TlsFiles) -> Result<Tls, ServeError> {
    let path = files.certificate.as_path();
    let certificate = std::fs::read(path).map_err(|error| failed(path, "cannot be read", error))?;
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&certificate)
        .collect::<Result<_, _>>()
        .map_err(|error| failed(path, "is not a PEM certificate", error))?;
    if chain.is_empty() {
        let problem = "contains no PEM certificate";
        return Err(ServeError::Tls { path: path.to_owned(), problem, source: None });
    }
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| failed(&files.key, "is not a PEM private key", error))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| failed(path, "cannot be used with this key", error))?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(Tls { acceptor: TlsAcceptor::from(Arc::new(config)), certificate })
}

fn failed(path: &Path, problem: &'static str, error: impl std::error::Error + Send + Sync + 'static) -> ServeError {
    ServeError::Tls { path: path.to_owned(), problem, source: Some(Box::new(error)) }
}
