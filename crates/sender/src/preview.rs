//! The request that an integration would send for an update, for a person to look at: nothing is sent, no secret shown.

use std::fmt;
use std::time::SystemTime;

use bytes::Bytes;
use delivery::http::request::request;
use delivery::message::{Message, MessageId};
use delivery::target::headers::is_secret;
use http::Version;
use payload::Update;
use schemars::JsonSchema;
use serde::Serialize;

use crate::form::MASK;
use crate::integration::Integration;
use crate::message::message;

/// A request as it would be sent over HTTP/1.1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Preview {
    /// The integration's name.
    pub integration: String,
    /// The whole URL.
    pub url: String,
    /// The method.
    pub method: String,
    /// What stands in the request line after the method (RFC 9112, section 3.2).
    #[serde(skip)]
    pub target: String,
    /// The header lines in their order, `***` for secrets.
    pub headers: Vec<(String, String)>,
    /// The body, byte for byte.
    #[serde(serialize_with = "text")]
    #[schemars(with = "String")]
    pub body: Bytes,
}

fn text<S: serde::Serializer>(body: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&String::from_utf8_lossy(body))
}

impl Preview {
    /// The request for `update` at `now`: of a message of this id, or of one that is new.
    ///
    /// # Errors
    /// If a custom name is that of another member of this update.
    pub fn of(
        integration: &Integration,
        update: &Update,
        id: Option<&str>,
        now: SystemTime,
    ) -> Result<Self, String> {
        let body = integration.field_names.render(update).map_err(|collision| collision.to_string())?;
        let new = message(update);
        let message = Message { id: id.map_or_else(|| new.id.clone(), MessageId::from), ..new };
        let request = request(&integration.target, &message, now, body, Version::HTTP_11);
        let line = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            let hidden = value.is_sensitive() || is_secret(name);
            let shown =
                if hidden { MASK.to_owned() } else { String::from_utf8_lossy(value.as_bytes()).into_owned() };
            (title_case(name.as_str()), shown)
        };
        Ok(Self {
            integration: integration.name.clone(),
            url: integration.target.parts().address.to_string(),
            method: request.method().to_string(),
            target: request.uri().to_string(),
            headers: request.headers().iter().map(line).collect(),
            body: request.into_body(),
        })
    }
}

impl fmt::Display for Preview {
    /// As it stands on the wire, with line ends of this machine.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {} HTTP/1.1", self.method, self.target)?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {value}")?;
        }
        write!(f, "\n{}", String::from_utf8_lossy(&self.body))
    }
}

/// The spelling in which HTTP/1.1 sends a name.
fn title_case(name: &str) -> String {
    let word = |word: &str| {
        let mut word = word.to_owned();
        if let Some(first) = word.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        word
    };
    name.split('-').map(word).collect::<Vec<_>>().join("-")
}
