//! Credentials that the sender writes are read by the receiver, which shares no code with it, as what they were; and what
//! one end takes for credentials, the other does too.

use delivery::target::credentials::Credentials;
use receiver::check::credentials::read;
use secrecy::SecretString;

/// Panics when the two ends disagree.
pub fn agree(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (username, password) = text.split_once('\n').unwrap_or((text, ""));
    if let Ok(written) = Credentials::new(username, SecretString::from(password)) {
        let came = read(written.header_value().as_bytes());
        assert_eq!(
            came,
            Ok((username.to_owned(), password.to_owned())),
            "what was written is not what is read"
        );
    }
    if let (Ok(ours), Ok((username, _))) = (Credentials::decode(text), read(data)) {
        assert_eq!(ours.username(), username, "the two ends read different user names");
    }
}
