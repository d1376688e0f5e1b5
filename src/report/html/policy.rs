//! What the page may do: its own style and script, known by their hashes, and nothing else.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// The style of the page.
pub(super) const STYLE: &str = include_str!("page.css");
/// The script of the page: it draws rows of findings, sorts and filters them, and copies commands.
pub(super) const SCRIPT: &str = include_str!("page.js");

/// Returns the content security policy: even if text of others became markup, it could neither run nor load anything.
pub(super) fn policy() -> String {
    format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; img-src data:; base-uri 'none'; form-action 'none'",
        hash_source(SCRIPT),
        hash_source(STYLE)
    )
}

fn hash_source(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_named_as_browsers_compute_them() {
        assert_eq!(hash_source(""), "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
        // `</` would end the elements that hold them, and a browser hashes what it reads.
        for own in [STYLE, SCRIPT] {
            assert!(!own.contains("</") && !own.contains('\r') && !own.contains("<!--"));
        }
    }
}
