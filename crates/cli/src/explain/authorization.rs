//! An `Authorization` header taken apart (RFC 9110, section 11.4; RFC 7617). The password is counted and never shown.

use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};
use receiver::check::credentials;

use crate::show;

/// The kinds of base64 that are met; only the first is what RFC 7617 asks for.
const KINDS: &[(&str, &GeneralPurpose)] = &[
    ("canonical (RFC 4648, section 4, with its padding)", &STANDARD),
    ("without its padding, which RFC 7617 does not allow", &STANDARD_NO_PAD),
    ("of the URL-safe alphabet, which RFC 7617 does not use", &URL_SAFE),
    ("of the URL-safe alphabet and without its padding, which RFC 7617 does not use", &URL_SAFE_NO_PAD),
    (
        "not canonical: bits are left over at its end, which some receivers refuse (RFC 4648, section 3.5)",
        &LEFT_OVER,
    ),
];

/// Takes what other encoders would have written otherwise.
const LEFT_OVER: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The steps, and whether a receiver can read it.
pub(super) fn explain(typed: &str) -> (Vec<String>, bool) {
    let value = typed.trim();
    let named = value.split_once(':').filter(|(name, _)| name.trim().eq_ignore_ascii_case("authorization"));
    let value = named.map_or(value, |(_, value)| value.trim());
    let mut lines = Vec::new();
    let mut room = credentials::Room::default();
    let read = credentials::read(value.as_bytes(), &mut room);
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    let basic = scheme.eq_ignore_ascii_case("basic");
    let known = credentials::SCHEMES.iter().find(|known| scheme.eq_ignore_ascii_case(known));
    lines.push(match known {
        _ if basic => format!("scheme         {scheme}; its case does not matter (RFC 9110, section 11.1)"),
        Some(known) => format!("scheme         {known}, which is not Basic"),
        None => "scheme         none that is known; the value is not shown, as it may be the credentials"
            .to_owned(),
    });
    if basic {
        steps(token.trim(), &mut lines);
    }
    let (style, verdict) = match &read {
        Ok(_) => (show::GOOD, "a receiver reads it as credentials".to_owned()),
        Err(reason) => (show::BAD, format!("a receiver cannot read it: {reason}")),
    };
    lines.push(format!("{style}{verdict}{style:#}"));
    (lines, read.is_ok())
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn steps(token: &str, lines: &mut Vec<String>) {
    let decoded = KINDS.iter().find_map(|(kind, engine)| Some((kind, engine.decode(token).ok()?)));
    let Some((kind, bytes)) = decoded else {
        lines.push(format!("encoded part   {} characters that are not base64", token.chars().count()));
        return;
    };
    lines.push(format!("encoded part   {} of base64, {kind}", count(token.len(), "character")));
    let charset = match std::str::from_utf8(&bytes) {
        Ok(text) if text.is_ascii() => "ASCII",
        Ok(_) => {
            "UTF-8 beyond ASCII: a receiver that says charset=\"UTF-8\" expects it so (RFC 7617, section 2.1)"
        }
        Err(_) => "not UTF-8, perhaps ISO 8859-1, which senders used before RFC 7617",
    };
    lines.push(format!("decoded        {}, {charset}", count(bytes.len(), "byte")));
    let text = String::from_utf8_lossy(&bytes);
    let Some((username, password)) = text.split_once(':') else {
        lines.push("colon          none, so that nothing tells user name and password apart".to_owned());
        return;
    };
    lines.push(format!("colon          the first is character {}", username.chars().count() + 1));
    lines.push(format!("user name      \"{}\"", show::printable(username)));
    let more = password.matches(':').count();
    let further = match more {
        0 => String::new(),
        1 => ", a further colon among them, which belongs to it".to_owned(),
        _ => format!(", {more} further colons among them, which belong to it"),
    };
    lines
        .push(format!("password       {}, not shown{further}", count(password.chars().count(), "character")));
    if text.chars().any(char::is_control) {
        lines.push(
            "control        there is a control character, which RFC 7617, section 2 forbids".to_owned(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_taken_apart_and_the_password_stays_unsaid() {
        for (value, well, said) in [
            ("Basic dXNlcjpwYTpzcw==", true, "password       5 characters, not shown, a further colon"),
            ("Authorization: basic dXNlcjpwYTpzcw==", true, "user name      \"user\""),
            ("Basic dXNlcjpwYTpzcw", false, "without its padding"),
            ("Basic dTpw_-A=", false, "URL-safe"),
            ("Basic dXNlcg==", false, "colon          none"),
            ("Basic dTpw6Q==", false, "perhaps ISO 8859-1"),
            ("Basic dTpww6k=", true, "UTF-8 beyond ASCII"),
            ("Basic dTp=", false, "not canonical: bits are left over"),
            ("dXNlcjpwYTpzcw==", false, "none that is known; the value is not shown"),
            ("Basic ***", false, "not base64"),
            ("Basic", false, "nothing after the scheme"),
            ("Bearer abc", false, "which is not Basic"),
        ] {
            let (lines, read) = explain(value);
            let told = lines.join("\n");
            assert!(told.contains(said) && read == well, "{value}: {told}");
            assert!(!told.contains("pa:ss") && !told.contains("dXNlcjpwYTpzcw"), "{told}");
        }
    }
}
