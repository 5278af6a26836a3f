//! An integration: the form of the documentation page, checked, and made into what the delivery needs.
//!
//! A draft is what a person typed; every mistake in it is reported at once, under the name of its field.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use delivery::lane::{LaneSettings, Pace};
use delivery::retry::RetryPolicy;
use delivery::store::Coalesce;
use delivery::target::address::Address;
use delivery::target::credentials::Credentials;
use delivery::target::guard::Guard;
use delivery::target::headers::{HeaderError, HeaderFault, HeaderList};
use delivery::target::tls::{Tls, TlsError, TlsSettings, Trust};
use delivery::target::{
    DEFAULT_ATTEMPT_TIMEOUT, DEFAULT_CONNECT_TIMEOUT, Parts, Render, Target, TargetError, conflicts,
};
use http::HeaderValue;
use payload::field_names::RuleErrors;
use payload::{FieldNames, Rule, Update};
use secrecy::{ExposeSecret, SecretString};

/// The fields of the form as a person filled them in, and what goes beyond the form.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The URL to POST to.
    pub url: String,
    /// Skip SSL Verification: certificates go unchecked.
    pub skip_ssl_verification: bool,
    /// Headers, in one of the forms that people have them in.
    pub headers: Headers,
    /// Basic user name.
    pub username: String,
    /// Basic password.
    pub password: SecretString,
    /// The content type, if it is not `application/json`.
    pub content_type: Option<String>,
    /// Custom field names, fields left out, constants.
    pub field_names: Vec<Rule>,
    /// How long an attempt may take.
    pub attempt_timeout: Duration,
    /// How long connecting may take of it.
    pub connect_timeout: Duration,
    /// Whether HTTP/2 may be spoken.
    pub http2: bool,
    /// Trusted roots as PEM, in place of the system's.
    pub roots: Option<Vec<u8>>,
    /// Attempts under way at once.
    pub concurrency: usize,
    /// Attempts a second; `None` for no limit.
    pub rate_per_second: Option<u32>,
    /// Which addresses may be connected to; `None` for whatever the URL says.
    pub guard: Option<Guard>,
    /// Whether superseded ongoing updates are spared.
    pub coalesce: bool,
    /// When to try again.
    pub retry: RetryPolicy,
}

/// Which guard integrations get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guarding {
    /// None: a person points the program somewhere.
    Off,
    /// Public addresses, and those that an integration allows.
    Public,
}

/// The forms in which header lines are given; several are joined.
#[derive(Clone, Debug, Default)]
pub struct Headers {
    /// The form's comma-separated list.
    pub list: String,
    /// Whole lines.
    pub lines: Vec<String>,
    /// Names and values.
    pub pairs: Vec<(String, String)>,
}

/// A checked integration.
#[derive(Clone, Debug)]
pub struct Integration {
    /// What it is known by, whatever it is called.
    pub id: String,
    /// What a person calls it.
    pub name: String,
    /// Where its deliveries go.
    pub target: Arc<Target>,
    /// How its lane works.
    pub lane: LaneSettings,
    /// The names that its receiver expects.
    pub field_names: Arc<FieldNames>,
}

/// One mistake in a draft.
#[derive(Debug)]
pub struct Mistake {
    /// The field it is in, by its name in a configuration.
    pub field: &'static str,
    /// What is wrong.
    pub what: What,
}

/// What is wrong with a field.
#[derive(Debug)]
pub enum What {
    /// In one sentence that also says what to do.
    Sentence(String),
    /// A header line; of the list if there is a text, in which its span lies.
    Header {
        /// The text of the list.
        text: Option<String>,
        /// The mistake.
        error: HeaderError,
    },
}

impl Mistake {
    fn new(field: &'static str, error: impl fmt::Display) -> Self {
        Self { field, what: What::Sentence(error.to_string()) }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Sentence(sentence) => write!(f, "{}: {sentence}", self.field),
            // Its help quotes the list, which may hold secrets; this is also for logs.
            What::Header { error, .. } if matches!(error.fault, HeaderFault::NoColon { .. }) => {
                let help =
                    "put a colon after the name, or write \\, if the comma belongs to the value before it";
                write!(f, "{}: {error}; {help}", self.field)
            }
            What::Header { error, .. } => write!(f, "{}: {error}; {}", self.field, error.help()),
        }
    }
}

/// Every mistake in a draft.
#[derive(Debug)]
pub struct Mistakes(pub Vec<Mistake>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Mistakes {}

/// How many attempts an integration has under way at once unless it says otherwise.
pub const DEFAULT_CONCURRENCY: usize = 8;

/// The names of most integrations: as on the page. They are large, and the same for all.
static STANDARD: LazyLock<Arc<FieldNames>> = LazyLock::new(|| Arc::new(FieldNames::standard()));

impl Draft {
    /// The form with nothing but a URL.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            skip_ssl_verification: false,
            headers: Headers::default(),
            username: String::new(),
            password: SecretString::from(""),
            content_type: None,
            field_names: Vec::new(),
            attempt_timeout: DEFAULT_ATTEMPT_TIMEOUT,
            connect_timeout: DEFAULT_CONNECT_TIMEOUT,
            http2: false,
            roots: None,
            concurrency: DEFAULT_CONCURRENCY,
            rate_per_second: None,
            guard: None,
            coalesce: false,
            retry: RetryPolicy::standard(),
        }
    }

    /// Checks everything and makes the integration, which is known by its name.
    ///
    /// # Errors
    /// All mistakes together.
    pub fn check(self, name: &str) -> Result<Integration, Mistakes> {
        let mut mistakes = Vec::new();
        let address = keep(&mut mistakes, "url", Address::parse(&self.url));
        let headers = self.headers(&mut mistakes);
        let credentials = self.credentials(&mut mistakes);
        let content_type = self.content_type(&mut mistakes);
        let tls = self.tls(&mut mistakes);
        let lane = self.lane(&mut mistakes);
        if let (Some(address), Some(guard)) = (&address, &self.guard)
            && let Ok(literal) = address.host().trim_matches(['[', ']']).parse()
        {
            keep(&mut mistakes, "url", guard.judge(literal));
        }
        let names = match self.field_names.as_slice() {
            [] => Ok(Arc::clone(&STANDARD)),
            rules => FieldNames::compile(rules).map(Arc::new),
        };
        let names = names.map_err(|RuleErrors(errors)| {
            mistakes.extend(errors.into_iter().map(|error| Mistake::new("field_names", error)));
        });
        let (attempt_timeout, connect_timeout) = (self.attempt_timeout, self.connect_timeout);
        let with_credentials = !self.username.is_empty() || !self.password.expose_secret().is_empty();
        let conflicts = conflicts(
            headers.as_ref().unwrap_or(&HeaderList::default()),
            with_credentials,
            self.content_type.is_some(),
            [attempt_timeout, connect_timeout],
        );
        mistakes.extend(conflicts.into_iter().map(|error| Mistake::new(field_of(error), error)));
        let (Some(address), Some(headers), Some(tls), Some(lane), Ok(field_names), true) =
            (address, headers, tls, lane, names, mistakes.is_empty())
        else {
            return Err(Mistakes(mistakes));
        };
        let render = Arc::new(Names(Arc::clone(&field_names)));
        let parts = Parts {
            address,
            headers,
            credentials,
            content_type,
            guard: self.guard,
            tls,
            attempt_timeout,
            connect_timeout,
            render,
        };
        let target = Target::new(parts).map_err(|errors| {
            Mistakes(errors.into_iter().map(|error| Mistake::new(field_of(error), error)).collect())
        })?;
        Ok(Integration {
            id: name.to_owned(),
            name: name.to_owned(),
            target: Arc::new(target),
            lane,
            field_names,
        })
    }

    fn headers(&self, mistakes: &mut Vec<Mistake>) -> Option<HeaderList> {
        let Headers { list, lines, pairs } = &self.headers;
        let known = mistakes.len();
        let mut note = |text: Option<&str>, errors: Vec<HeaderError>| {
            let what = |error| What::Header { text: text.map(str::to_owned), error };
            mistakes.extend(errors.into_iter().map(|error| Mistake { field: "headers", what: what(error) }));
        };
        let list = HeaderList::parse(list).map_err(|errors| note(Some(list), errors)).ok();
        let lines = HeaderList::from_lines(lines).map_err(|errors| note(None, errors)).ok();
        let pairs = HeaderList::from_pairs(pairs.iter().map(|(name, value)| (name, value)));
        let pairs = pairs.map_err(|errors| note(None, errors)).ok();
        let joined =
            list?.followed_by(lines?).and_then(|joined| joined.followed_by(pairs.unwrap_or_default()));
        let joined = joined.map_err(|errors| note(None, errors)).ok();
        joined.filter(|_| mistakes.len() == known)
    }

    fn credentials(&self, mistakes: &mut Vec<Mistake>) -> Option<Credentials> {
        if self.username.is_empty() && self.password.expose_secret().is_empty() {
            return None;
        }
        let made = Credentials::new(self.username.clone(), self.password.clone());
        keep(mistakes, "username, password", made)
    }

    fn content_type(&self, mistakes: &mut Vec<Mistake>) -> Option<HeaderValue> {
        let text = self.content_type.as_deref()?;
        let value =
            HeaderValue::from_str(text).ok().filter(|value| value.to_str().is_ok() && text.contains('/'));
        if value.is_none() {
            mistakes.push(Mistake::new(
                "content_type",
                format!("{text:?} is no media type, such as application/json"),
            ));
        }
        value
    }

    fn tls(&self, mistakes: &mut Vec<Mistake>) -> Option<Tls> {
        let trust = match (&self.roots, self.skip_ssl_verification) {
            (Some(_), true) => {
                let sentence = "a CA file means nothing with skip_ssl_verification; keep one of them";
                mistakes.push(Mistake::new("ca_file", sentence));
                return None;
            }
            (None, true) => Trust::DangerSkipVerification,
            (Some(pem), false) => Trust::Roots(pem.clone()),
            // A machine without roots can still post to plain HTTP.
            (None, false) if !self.url.trim_start().to_ascii_lowercase().starts_with("https:") => {
                Trust::DangerSkipVerification
            }
            (None, false) => Trust::System,
        };
        let made: Result<Tls, TlsError> = Tls::new(&TlsSettings { trust, client: None, http2: self.http2 });
        keep(mistakes, "ca_file", made)
    }

    fn lane(&self, mistakes: &mut Vec<Mistake>) -> Option<LaneSettings> {
        let concurrency = NonZeroUsize::new(self.concurrency);
        if concurrency.is_none() {
            mistakes.push(Mistake::new("concurrency", "0 would never send anything; 1 is the least"));
        }
        let pace = self.rate_per_second.map(Pace::per_second).transpose();
        let pace = keep(mistakes, "rate_per_second", pace);
        let coalesce = if self.coalesce { Coalesce::Superseded } else { Coalesce::Nothing };
        let retry = self.retry.clone();
        Some(LaneSettings { concurrency: concurrency?, pace: pace?, retry, coalesce })
    }
}

fn keep<T, E: fmt::Display>(
    mistakes: &mut Vec<Mistake>,
    field: &'static str,
    made: Result<T, E>,
) -> Option<T> {
    made.map_err(|error| mistakes.push(Mistake::new(field, error))).ok()
}

const fn field_of(error: TargetError) -> &'static str {
    match error {
        TargetError::TwoAuthorizations => "username, headers",
        TargetError::TwoContentTypes => "content_type, headers",
        TargetError::NoTime => "attempt_timeout, connect_timeout",
    }
}

/// Renders an accepted update under an integration's names.
#[derive(Debug)]
struct Names(Arc<FieldNames>);

impl Render for Names {
    fn render(&self, accepted: &Bytes) -> Result<Bytes, String> {
        if self.0.is_standard() {
            return Ok(accepted.clone());
        }
        let update = Update::parse(accepted.clone()).map_err(|error| error.to_string())?;
        self.0.render(&update).map_err(|collision| collision.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(draft: Draft) -> Vec<String> {
        draft.check("test").unwrap_err().0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn all_that_is_wrong_is_reported_at_once() {
        let mut draft = Draft::new("example.com");
        draft.headers.list = "Host: a, B".to_owned();
        draft.headers.lines = vec!["C".to_owned()];
        draft.username = "a:b".to_owned();
        draft.content_type = Some("json".to_owned());
        draft.field_names = vec![Rule::rename("idd", "x")];
        draft.concurrency = 0;
        draft.rate_per_second = Some(0);
        draft.attempt_timeout = Duration::ZERO;
        let fields: Vec<_> =
            draft.clone().check("test").unwrap_err().0.iter().map(|mistake| mistake.field).collect();
        let expected =
            ["url", "headers", "headers", "headers", "username, password", "content_type", "concurrency"];
        assert_eq!(fields[..7], expected);
        assert_eq!(fields[7..], ["rate_per_second", "field_names", "attempt_timeout, connect_timeout"]);
    }

    #[test]
    fn two_sources_of_one_header_are_refused() {
        let mut draft = Draft::new("http://example.com/");
        draft.headers.list = "Authorization: Bearer x".to_owned();
        draft.username = "u".to_owned();
        draft.headers.lines = vec!["Content-Type: text/plain".to_owned()];
        draft.content_type = Some("application/json".to_owned());
        let mistakes = mistakes(draft);
        assert_eq!(mistakes.len(), 2, "{mistakes:?}");
        assert!(mistakes[0].contains("keep one of them"));
    }

    #[test]
    fn a_password_alone_is_enough_for_credentials() {
        let mut draft = Draft::new("http://example.com/");
        draft.password = SecretString::from("s3cret");
        let integration = draft.check("test").unwrap();
        assert!(integration.target.parts().credentials.is_some());
        assert!(!format!("{integration:?}").contains("s3cret"));
    }

    #[test]
    fn a_body_is_rendered_under_the_integration_s_names() {
        let mut draft = Draft::new("http://example.com/");
        draft.field_names = vec![Rule::rename("id", "event_id")];
        let target = draft.check("test").unwrap().target;
        let rendered = target.parts().render.render(&Bytes::from_static(br#"{"id":"a"}"#)).unwrap();
        assert_eq!(rendered, r#"{"event_id":"a"}"#);
        let collision = target.parts().render.render(&Bytes::from_static(br#"{"id":"a","event_id":1}"#));
        assert!(collision.unwrap_err().contains("event_id"));
    }
}
