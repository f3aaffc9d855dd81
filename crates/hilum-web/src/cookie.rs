//! The cookie of a session.

use axum::http::{HeaderMap, HeaderValue, header};

/// What a page shows with each change.
pub(crate) const CSRF: &str = "x-hilum-csrf";

/// Over HTTPS the name itself forbids the cookie to come from anywhere else (RFC 6265bis 4.1.3.2).
const SECURE: &str = "__Host-hilum-session";
/// On loopback, where there may be no TLS.
const PLAIN: &str = "hilum-session";

/// The session that a request shows.
pub(crate) fn session(headers: &HeaderMap) -> Option<&str> {
    let cookies = || {
        let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='))
    };
    let named = |wanted| cookies().find(|(name, _)| *name == wanted).map(|(_, value)| value);
    named(SECURE).or_else(|| named(PLAIN))
}

/// Sets the cookie, for this site's own requests only, out of reach of scripts, until the browser closes.
pub(crate) fn set(session: &str, secure: bool) -> Option<HeaderValue> {
    let (name, secure) = if secure { (SECURE, "; Secure") } else { (PLAIN, "") };
    HeaderValue::from_str(&format!("{name}={session}; Path=/; HttpOnly; SameSite=Strict{secure}")).ok()
}

/// Takes it back, whatever its name.
pub(crate) fn remove() -> [HeaderValue; 2] {
    [
        HeaderValue::from_static("hilum-session=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0"),
        HeaderValue::from_static("__Host-hilum-session=; Path=/; HttpOnly; SameSite=Strict; Secure; Max-Age=0"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_is_found_among_other_cookies() {
        let with = |line: &'static str| HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_static(line))]);
        assert_eq!(session(&with("a=1; hilum-session=abc; b=2")), Some("abc"));
        assert_eq!(session(&with("hilum-session=plain; __Host-hilum-session=safe")), Some("safe"));
        for none in ["", "hilum-sessions=abc", "xhilum-session=abc", "hilum-session"] {
            assert_eq!(session(&with(none)), None, "{none}");
        }
    }
}
