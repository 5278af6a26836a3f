//! Credentials that the sender writes are read by the receiver, which shares no code with it, as what they were; and what
//! one end takes for credentials, the other does too.

use delivery::target::credentials::Credentials;
use receiver::check::credentials::{Room, read};
use secrecy::SecretString;

/// Panics when the two ends disagree.
pub fn agree(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut room = Room::default();
    let (username, password) = text.split_once('\n').unwrap_or((text, ""));
    if let Ok(written) = Credentials::new(username, SecretString::from(password)) {
        let written = written.header_value();
        let came = read(written.as_bytes(), &mut room);
        assert_eq!(came, Ok((username, password)), "what was written is not what is read");
    }
    if let (Ok(ours), Ok((username, _))) = (Credentials::decode(text), read(data, &mut room)) {
        assert_eq!(ours.username(), username, "the two ends read different user names");
    }
}
