//! The names that a server answers to: a Host header with another one came by DNS rebinding, or by mistake.

use std::{fmt, net::IpAddr, str::FromStr};

use thiserror::Error;

/// A name or an IP address that the server is reached by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PublicName(String);

/// What cannot name a server.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("expected a name like hilum.hospital.example or an IP address, without scheme, port or path")]
pub struct InvalidPublicName;

impl PublicName {
    /// In lower case; an IPv6 address without brackets.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PublicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for PublicName {
    type Err = InvalidPublicName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(address) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
            return Ok(Self(address.to_canonical().to_string()));
        }
        // RFC 1123 2.1: letters, digits and hyphens, not a hyphen at either end of a label.
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let name = text.strip_suffix('.').unwrap_or(text);
        let names_a_machine = name.len() <= 253 && name.split('.').all(label);
        names_a_machine.then(|| Self(name.to_ascii_lowercase())).ok_or(InvalidPublicName)
    }
}

/// `host[:port]` of a Host header or an Origin (RFC 3986 3.2, without user information).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Authority<'a> {
    /// Without the brackets of an IPv6 address.
    pub(crate) host: &'a str,
    pub(crate) port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// None where the text is anything else.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (host, rest) = match text.strip_prefix('[') {
            Some(rest) => rest.split_once(']')?,
            None => text.find(':').map_or((text, ""), |colon| text.split_at(colon)),
        };
        let port = match rest.strip_prefix(':') {
            Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => Some(port.parse().ok()?),
            None if rest.is_empty() => None,
            Some(_) | None => return None,
        };
        (!host.is_empty()).then_some(Self { host, port })
    }

    /// A name of this machine that no other site can have.
    pub(crate) fn is_loopback(self) -> bool {
        self.host.eq_ignore_ascii_case("localhost") || self.address().is_some_and(|address| address.is_loopback())
    }

    /// Its host, where that is an IP address.
    pub(crate) fn address(self) -> Option<IpAddr> {
        self.host.parse::<IpAddr>().ok().map(|address| address.to_canonical())
    }

    /// Whether it is one of these names.
    pub(crate) fn is_among(self, names: &[PublicName]) -> bool {
        self.host.parse::<PublicName>().is_ok_and(|host| names.contains(&host))
    }

    /// Whether both are one place for a browser that speaks `secure`ly or not.
    pub(crate) fn is_same_place(self, other: Self, secure: bool) -> bool {
        let default = if secure { 443 } else { 80 };
        let port = |of: Self| of.port.unwrap_or(default);
        self.host.eq_ignore_ascii_case(other.host) && port(self) == port(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_loopback() {
        let is_loopback = |text| Authority::parse(text).is_some_and(Authority::is_loopback);
        for ours in ["localhost", "LocalHost:8080", "127.0.0.1", "127.0.0.1:1", "127.9.9.9", "[::1]", "[::1]:8080"] {
            assert!(is_loopback(ours), "{ours}");
        }
        for foreign in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "[::2]:80",
            "0.0.0.0",
            "[",
            "::1",
            "localhost:80:evil.example",
            "localhost:evil",
            "[::1]evil.example",
            "127.0.0.1@evil.example",
        ] {
            assert!(!is_loopback(foreign), "{foreign}");
        }
    }

    #[test]
    fn a_public_name_is_a_host_and_nothing_else() {
        for (text, name) in [
            ("Hilum.Hospital.example", "hilum.hospital.example"),
            ("hilum.hospital.example.", "hilum.hospital.example"),
            ("ct", "ct"),
            ("10.0.0.5", "10.0.0.5"),
            ("[2001:DB8::1]", "2001:db8::1"),
        ] {
            assert_eq!(text.parse::<PublicName>().unwrap().as_str(), name);
        }
        for wrong in [
            "",
            "https://a.example",
            "a.example:443",
            "a.example/x",
            "*.example",
            "-a.example",
            "a..b",
            "a b",
            "a\r\nb",
        ] {
            assert_eq!(wrong.parse::<PublicName>(), Err(InvalidPublicName), "{wrong:?}");
        }
    }
}
