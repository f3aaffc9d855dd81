//! The cookie of a session, and of whoever is on the way to an OpenID provider.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::connection::FORWARDED_PROTO;

/// What a page shows with each change.
pub(crate) const CSRF: &str = "x-hilum-csrf";

/// Over HTTPS the name itself forbids the cookie to come from anywhere else (RFC 6265bis 4.1.3.2).
const SECURE: &str = "__Host-hilum-session";
/// On loopback, where there may be no TLS.
pub(crate) const PLAIN: &str = "hilum-session";
/// The same two of who is on the way to an OpenID provider.
const SECURE_OPENID: &str = "__Host-hilum-openid";
const PLAIN_OPENID: &str = "hilum-openid";

/// The session that a request shows: over HTTPS only by the name that no other site and nobody on the way can set.
pub(crate) fn session(headers: &HeaderMap) -> Option<&str> {
    shown(headers, SECURE, PLAIN)
}

/// What a browser kept that went to an OpenID provider.
pub(crate) fn openid(headers: &HeaderMap) -> Option<&str> {
    shown(headers, SECURE_OPENID, PLAIN_OPENID)
}

fn shown<'a>(headers: &'a HeaderMap, secure_name: &str, plain_name: &str) -> Option<&'a str> {
    let cookies = || {
        let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='))
    };
    let named = |wanted| cookies().find(|(name, _)| *name == wanted).map(|(_, value)| value);
    // The guard has put there what it found out itself.
    let secure = headers.get(FORWARDED_PROTO).is_some_and(|scheme| scheme == "https");
    named(if secure { secure_name } else { plain_name })
}

/// Sets the cookie, for this site's own requests only, out of reach of scripts, until the browser closes.
pub(crate) fn set(session: &str, secure: bool) -> Option<HeaderValue> {
    let (name, secure) = if secure { (SECURE, "; Secure") } else { (PLAIN, "") };
    HeaderValue::from_str(&format!("{name}={session}; Path=/; HttpOnly; SameSite=Strict{secure}")).ok()
}

/// Sets what a browser comes back with from an OpenID provider. It comes from there, by a link of another site, so that it must be `Lax`; it
/// opens nothing by itself.
pub(crate) fn set_openid(secret: &str, secure: bool) -> Option<HeaderValue> {
    let (name, secure) = if secure { (SECURE_OPENID, "; Secure") } else { (PLAIN_OPENID, "") };
    HeaderValue::from_str(&format!("{name}={secret}; Path=/; HttpOnly; SameSite=Lax; Max-Age=900{secure}")).ok()
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
        let by = |scheme, line| {
            let scheme = (FORWARDED_PROTO, HeaderValue::from_static(scheme));
            HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_static(line)), scheme])
        };
        let with = |line| by("http", line);
        assert_eq!(session(&with("a=1; hilum-session=abc; b=2")), Some("abc"));
        assert_eq!(session(&by("https", "hilum-session=plain; __Host-hilum-session=safe")), Some("safe"));
        assert_eq!(session(&by("https", "hilum-session=plain")), None);
        for none in ["", "hilum-sessions=abc", "xhilum-session=abc", "hilum-session"] {
            assert_eq!(session(&with(none)), None, "{none}");
        }
    }
}
