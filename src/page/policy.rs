//! The content security policy of the page.
//!
//! It allows the page's own scripts and its own style sheet by their hashes, and images within the page. So even if a name from a file
//! got into the page as HTML, the browser would neither run a script in it, nor load, send, or restyle anything.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac_sha256::Hash;

/// The policy for a page with these scripts and this style sheet: the exact text between the tags.
pub(super) fn policy(scripts: &[&str], style: &str) -> String {
    let scripts = scripts.iter().map(|script| source(script)).collect::<Vec<_>>().join(" ");
    format!(
        "default-src 'none'; script-src {scripts}; style-src {}; img-src data:; base-uri 'none'; form-action 'none'",
        source(style)
    )
}

/// The text, as the policy names it.
fn source(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Hash::hash(text.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hash of a script that the specification of content security policies has as an example.
    #[test]
    fn a_script_is_named_by_the_hash_of_its_text() {
        assert_eq!(source("alert('Hello, world.');"), "'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='");
    }
}
