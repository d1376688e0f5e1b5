//! The server's side of TLS.

use crate::serve::error::ServeError;
use crate::serve::options::TlsFiles;
use pgwire::tokio::TlsAcceptor;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::rustls::{ServerConfig, crypto};

/// The protocol's name for clients that begin with TLS at once.
const ALPN: &[u8] = b"postgresql";

/// What accepts TLS connections, and the certificate's PEM.
pub(in crate::serve) struct Tls {
    pub(in crate::serve) acceptor: TlsAcceptor,
    pub(in crate::serve) certificate: Vec<u8>,
}

/// Reads the certificate and its key.
///
/// # Errors
/// [`ServeError::Tls`] when a file cannot be read, holds none, or both do not belong together.
pub(in crate::serve) fn load(files: &TlsFiles) -> Result<Tls, ServeError> {
    let failed = |path: &Path, problem: String| ServeError::Tls { path: path.to_owned(), problem };
    let path = files.certificate.as_path();
    let certificate = std::fs::read(path).map_err(|error| failed(path, error.to_string()))?;
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&certificate)
        .collect::<Result<_, _>>()
        .map_err(|error| failed(path, format!("no certificate in PEM: {error}")))?;
    if chain.is_empty() {
        return Err(failed(path, "holds no certificate in PEM".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| failed(&files.key, format!("no private key in PEM: {error}")))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| failed(path, error.to_string()))?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(Tls { acceptor: TlsAcceptor::from(Arc::new(config)), certificate })
}
