//! The URL of a target, taken apart into what a connection and a request need.
//!
//! Which addresses its name may resolve to is decided when a connection is made, not here.

use std::fmt;

use http::Uri;
use rustls::pki_types::ServerName;
use url::{Host, Url};

/// The longest URL, in bytes (RFC 9110, section 4.1 asks for at least 8,000 to be supported).
pub const MAX_URL: usize = 8_000;

/// An `http` or `https` URL without user information and fragment.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    url: Url,
    host: String,
    secure: bool,
    port: u16,
    uri: Uri,
}

/// Why a text is no URL that a webhook can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// There is nothing.
    #[error("the URL is empty; it is like https://example.com/webhook")]
    Empty,
    /// It is longer than [`MAX_URL`].
    #[error("the URL is longer than {MAX_URL} bytes")]
    TooLong,
    /// It does not begin with a scheme.
    #[error("the URL has no scheme; did you mean https://{0}?")]
    NoScheme(String),
    /// It is none by the URL standard.
    #[error("not a URL: {0}")]
    Malformed(url::ParseError),
    /// The scheme is neither `http` nor `https`.
    #[error("the scheme is {0:?}; only http and https can be posted to")]
    Scheme(String),
    /// It holds a user name or a password.
    #[error("the URL holds a user name or a password; give them as Username and Password instead")]
    UserInformation,
    /// It holds a fragment, which is never sent.
    #[error("the URL ends in a fragment (#…), which is never sent; leave it out")]
    Fragment,
    /// The host is no name that a certificate could be for.
    #[error("the host {0:?} is no valid name")]
    Host(String),
}

impl Address {
    /// Reads a URL.
    ///
    /// # Errors
    /// The first reason why it is none that a webhook can have.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        if text.len() > MAX_URL {
            return Err(AddressError::TooLong);
        }
        let url = Url::parse(text).map_err(|error| match error {
            url::ParseError::RelativeUrlWithoutBase => AddressError::NoScheme(text.to_owned()),
            error => AddressError::Malformed(error),
        })?;
        let secure = match url.scheme() {
            "https" => true,
            "http" => false,
            // `localhost:8080` is a URL of the scheme `localhost`.
            scheme if !text.contains("://") => {
                return Err(if url.path().starts_with(|first: char| first.is_ascii_digit()) {
                    AddressError::NoScheme(text.to_owned())
                } else {
                    AddressError::Scheme(scheme.to_owned())
                });
            }
            scheme => return Err(AddressError::Scheme(scheme.to_owned())),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(AddressError::UserInformation);
        }
        if url.fragment().is_some() {
            return Err(AddressError::Fragment);
        }
        let host = match url.host() {
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            None => return Err(AddressError::Host(String::new())),
        };
        let port = url.port_or_known_default().unwrap_or(if secure { 443 } else { 80 });
        let uri = url.as_str().parse::<Uri>().map_err(|_| AddressError::Host(host.clone()))?;
        if ServerName::try_from(host.as_str()).is_err() {
            return Err(AddressError::Host(host));
        }
        Ok(Self { url, host, secure, port, uri })
    }

    /// The URL in its canonical form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    /// The host, an IPv6 address without its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Whether TLS is spoken.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// The whole URL as HTTP/2 wants it.
    #[must_use]
    pub const fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Path and query, as HTTP/1.1 wants them (RFC 9112, section 3.2.1).
    #[must_use]
    pub fn path_and_query(&self) -> &str {
        self.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str)
    }

    /// The value of `Host` (RFC 9110, section 7.2): the port only if it is not the scheme's.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.uri.authority().map_or("", http::uri::Authority::as_str)
    }

    /// The name that a certificate must be for.
    #[must_use]
    pub fn server_name(&self) -> Option<ServerName<'static>> {
        ServerName::try_from(self.host.clone()).ok()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        for (text, authority, port, path) in [
            ("https://example.com", "example.com", 443, "/"),
            (" http://example.com:8080/a?b=c ", "example.com:8080", 8080, "/a?b=c"),
            ("https://example.com:443/a", "example.com", 443, "/a"),
            ("http://[::1]:9/x", "[::1]:9", 9, "/x"),
            ("http://127.0.0.1", "127.0.0.1", 80, "/"),
            ("HTTPS://BÜCHER.example/ü", "xn--bcher-kva.example", 443, "/%C3%BC"),
            ("http://2130706433/", "127.0.0.1", 80, "/"),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!(
                (address.authority(), address.port(), address.path_and_query()),
                (authority, port, path),
                "{text}"
            );
        }
        assert_eq!(Address::parse("http://[::1]/").unwrap().host(), "::1");
    }

    #[test]
    fn what_cannot_be_posted_to_is_refused_with_the_way_out() {
        for (text, message) in [
            ("", "the URL is empty; it is like https://example.com/webhook"),
            ("example.com/hook", "the URL has no scheme; did you mean https://example.com/hook?"),
            ("localhost:8080", "the URL has no scheme; did you mean https://localhost:8080?"),
            ("ftp://example.com", "the scheme is \"ftp\"; only http and https can be posted to"),
            ("mailto:a@example.com", "the scheme is \"mailto\"; only http and https can be posted to"),
            ("file:///etc/passwd", "the scheme is \"file\"; only http and https can be posted to"),
            (
                "https://u:p@example.com",
                "the URL holds a user name or a password; give them as Username and Password instead",
            ),
            ("https://example.com/#a", "the URL ends in a fragment (#…), which is never sent; leave it out"),
            ("https://", "not a URL: empty host"),
            ("http://a b/", "not a URL: invalid international domain name"),
        ] {
            assert_eq!(Address::parse(text).unwrap_err().to_string(), message, "{text}");
        }
        let long = format!("http://a/{}", "x".repeat(MAX_URL - 9));
        assert!(Address::parse(&long).is_ok());
        assert_eq!(Address::parse(&format!("{long}x")), Err(AddressError::TooLong));
    }
}
