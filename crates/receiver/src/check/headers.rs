//! Header fields that a request must have, each with a value or with any.

use std::fmt;

use http::header::HOST;
use http::{HeaderName, HeaderValue, Version};

use crate::request::Request;
use crate::verdict::{Finding, Problem};
use crate::wire;

/// A header field that must be there. A value that is secret does not print.
#[derive(Clone, PartialEq, Eq)]
pub struct Required {
    name: HeaderName,
    value: Option<HeaderValue>,
}

/// A text that names no header field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequiredError {
    /// The name is no token (RFC 9110, section 5.1).
    #[error("{0:?} is no header name; write 'Name' or 'Name: value'")]
    Name(String),
    /// The value has a character that none can have (RFC 9110, section 5.5).
    #[error("the value of {0} has a character that a header cannot have")]
    Value(String),
}

impl std::str::FromStr for Required {
    type Err = RequiredError;

    /// `Name`, or `Name: value`.
    fn from_str(text: &str) -> Result<Self, RequiredError> {
        let (name, value) = match text.split_once(':') {
            Some((name, value)) => (name, Some(value.trim())),
            None => (text, None),
        };
        let parsed = name.trim().parse::<HeaderName>().map_err(|_| RequiredError::Name(name.to_owned()))?;
        let value = value.map(HeaderValue::from_str).transpose();
        let value = value.map_err(|_| RequiredError::Value(name.trim().to_owned()))?;
        Ok(Self { name: parsed, value })
    }
}

impl Required {
    /// Whether its value is a secret that is not to be shown.
    fn is_secret(&self) -> bool {
        wire::is_secret(self.name.as_str())
    }

    fn shown(&self, value: &HeaderValue) -> String {
        if self.is_secret() {
            "***".to_owned()
        } else {
            String::from_utf8_lossy(value.as_bytes()).into_owned()
        }
    }
}

impl fmt::Debug for Required {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Required({self})")
    }
}

impl fmt::Display for Required {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}: {}", self.name, self.shown(value)),
            None => write!(f, "{}", self.name),
        }
    }
}

/// `None` if nothing was required and nothing is wrong.
pub(super) fn check(request: &Request, required: &[Required]) -> Option<Finding> {
    let mut problems: Vec<_> = host(request).into_iter().collect();
    problems.extend(required.iter().filter_map(|required| problem(request, required)));
    match (problems.is_empty(), required.is_empty()) {
        (true, true) => None,
        (true, false) => Some(Finding::Passed),
        (false, _) => Some(Finding::Failed(problems)),
    }
}

/// A request of HTTP/1.1 has exactly one `Host` (RFC 9112, section 3.2), which hyper does not ask for.
fn host(request: &Request) -> Option<Problem> {
    let count = request.headers.get_all(HOST).iter().count();
    let wrong = request.version == Version::HTTP_11 && count != 1;
    wrong.then(|| Problem::new("host", "one", if count == 0 { "none" } else { "more than one" }))
}

/// One of the values that came under the name must be the right one, exactly.
fn problem(request: &Request, required: &Required) -> Option<Problem> {
    let came: Vec<_> = request.headers.get_all(&required.name).iter().collect();
    let expected =
        required.value.as_ref().map_or_else(|| "any value".to_owned(), |value| required.shown(value));
    if came.is_empty() {
        return Some(Problem::new(required.name.as_str(), expected, "no such header"));
    }
    let value = required.value.as_ref()?;
    if came.contains(&value) {
        return None;
    }
    let shown: Vec<_> = came.into_iter().map(|came| required.shown(came)).collect();
    let got =
        if required.is_secret() { "another value".to_owned() } else { format!("{:?}", shown.join(", ")) };
    Some(Problem::new(required.name.as_str(), format!("{expected:?}"), got))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_requirement_is_a_name_or_a_line() {
        for (text, shown) in [
            ("X-Netography", "x-netography"),
            ("X-Netography: Webhook", "x-netography: Webhook"),
            ("X-Netography:Webhook ", "x-netography: Webhook"),
            ("X-Url: http://a/b:c", "x-url: http://a/b:c"),
            ("X-Api-Key: hidden", "x-api-key: ***"),
        ] {
            let required = text.parse::<Required>().unwrap();
            assert_eq!(required.to_string(), shown);
            assert_eq!(format!("{required:?}"), format!("Required({shown})"));
        }
        assert_eq!("X Netography".parse::<Required>(), Err(RequiredError::Name("X Netography".to_owned())));
        assert_eq!(": v".parse::<Required>(), Err(RequiredError::Name(String::new())));
        assert_eq!("A: b\nc".parse::<Required>(), Err(RequiredError::Value("A".to_owned())));
    }
}
