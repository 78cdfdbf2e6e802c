//! A line that can be copied: by a button where scripts run, by one click that selects all of it elsewhere.

use super::html::escape;
use super::push;

/// The only script of a page. The buttons are hidden until it runs.
pub(super) const SCRIPT: &str = r#"document.querySelectorAll(".copy").forEach(function (b) { b.hidden = false; b.addEventListener("click", function () { navigator.clipboard.writeText(b.previousElementSibling.textContent).then(function () { b.textContent = "copied"; }); }); });"#;
/// What the page's policy knows it by.
pub(super) const HASH: &str = "sha256-2O1jfqc2adS94FVexjhBlHxdAbuJsBsAOGcYrDi1pJI=";

/// A command line under a name.
pub(super) fn line(text: &mut String, name: &str, line: &str) {
    push(
        text,
        format_args!(
            "<p>{name}: <code class=\"line\">{}</code> <button class=\"copy\" type=\"button\" hidden>copy</button></p>",
            escape(line)
        ),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    /// A policy that does not know the script keeps it from running.
    #[test]
    fn the_policy_knows_the_script() {
        const DIGITS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let digest = Sha256::digest(SCRIPT.as_bytes());
        let mut text = String::from("sha256-");
        for three in digest.chunks(3) {
            let mut bytes = [0; 4];
            bytes[1..=three.len()].copy_from_slice(three);
            let word = u32::from_be_bytes(bytes);
            for place in 0..4 {
                match place <= three.len() {
                    true => text.push(char::from(DIGITS[(word >> (18 - 6 * place)) as usize & 63])),
                    false => text.push('='),
                }
            }
        }
        assert_eq!(text, HASH);
    }
}
