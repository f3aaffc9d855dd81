//! From where a request comes: by the socket, or by what a proxy says that we trust.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::error::ApiError;

pub(crate) const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Both ends of an accepted socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Socket {
    pub(crate) peer: IpAddr,
    pub(crate) local: IpAddr,
    pub(crate) tls: bool,
}

/// What handlers may believe of a request's origin; an extension of every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Connection {
    /// The caller's address; behind a trusted proxy the one that it forwards for.
    pub(crate) address: IpAddr,
    /// Whether the caller's own connection is encrypted.
    pub(crate) secure: bool,
}

/// Decides on the connection, and leaves only what may be believed in the headers: Host is the name that the caller used, X-Forwarded-Proto
/// its scheme, and the rest of what proxies say is gone.
pub(crate) fn settle(socket: Socket, headers: &mut HeaderMap, trusted: &[IpAddr]) -> Result<Connection, ApiError> {
    let is_proxy = trusted.contains(&socket.peer);
    let last = |name: &HeaderName| headers.get_all(name).iter().next_back();
    let connection = if is_proxy {
        let proto = last(&FORWARDED_PROTO).and_then(|value| value.to_str().ok());
        let proto = proto.and_then(|value| value.rsplit(',').next()).unwrap_or_default();
        Connection {
            address: forwarded_for(headers, trusted)?.unwrap_or(socket.peer),
            secure: proto.trim().eq_ignore_ascii_case("https"),
        }
    } else {
        Connection { address: socket.peer, secure: socket.tls }
    };
    if is_proxy && let Some(host) = last(&FORWARDED_HOST).cloned() {
        headers.insert(header::HOST, host);
    }
    for name in [FORWARDED_FOR, FORWARDED_HOST, header::FORWARDED] {
        headers.remove(name);
    }
    let scheme = HeaderValue::from_static(if connection.secure { "https" } else { "http" });
    headers.insert(FORWARDED_PROTO, scheme);
    Ok(connection)
}

/// The last address that is no trusted proxy: each proxy appends the address that called it, and whoever calls may have written what stands
/// before.
fn forwarded_for(headers: &HeaderMap, trusted: &[IpAddr]) -> Result<Option<IpAddr>, ApiError> {
    for value in headers.get_all(FORWARDED_FOR).iter().rev() {
        for text in value.to_str().map_err(|_| bad_forward())?.rsplit(',') {
            let address = address(text.trim()).ok_or_else(bad_forward)?;
            if !trusted.contains(&address) {
                return Ok(Some(address));
            }
        }
    }
    Ok(None)
}

/// An address, as some proxies write it with a port or in brackets.
fn address(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    text.parse().ok().or_else(with_port).or_else(in_brackets).map(|address: IpAddr| address.to_canonical())
}

fn bad_forward() -> ApiError {
    let message = "the proxy sent an X-Forwarded-For that is no list of IP addresses; correct its configuration";
    ApiError::new(StatusCode::BAD_REQUEST, "bad_forwarded_for", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(peer: &str, sent: &[(&'static str, &'static str)]) -> Result<(Connection, HeaderMap), StatusCode> {
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let socket = Socket { peer: peer.parse().unwrap(), local: "10.0.0.1".parse().unwrap(), tls: false };
        let trusted = ["10.0.0.5".parse().unwrap(), "10.0.0.6".parse().unwrap()];
        let connection = settle(socket, &mut headers, &trusted).map_err(|error| error.status)?;
        Ok((connection, headers))
    }

    #[test]
    fn a_proxy_is_believed_and_a_stranger_is_not() {
        let sent = [
            ("host", "upstream"),
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "hilum.example"),
            ("forwarded", "for=192.0.2.1"),
        ];
        let (connection, headers) = settled("10.0.0.5", &sent).unwrap();
        assert_eq!(connection, Connection { address: "203.0.113.9".parse().unwrap(), secure: true });
        assert_eq!(
            (&headers["host"], &headers["x-forwarded-proto"]),
            (&"hilum.example".parse().unwrap(), &"https".parse().unwrap())
        );
        let (connection, headers) = settled("10.0.0.7", &sent).unwrap();
        assert_eq!(connection, Connection { address: "10.0.0.7".parse().unwrap(), secure: false });
        assert_eq!(
            (&headers["host"], &headers["x-forwarded-proto"]),
            (&"upstream".parse().unwrap(), &"http".parse().unwrap())
        );
        for gone in ["x-forwarded-for", "x-forwarded-host", "forwarded"] {
            assert!(!headers.contains_key(gone), "{gone}");
        }
    }

    #[test]
    fn the_last_address_that_is_no_proxy_of_ours_is_the_callers() {
        for (list, caller) in [
            (vec!["198.51.100.1, 203.0.113.9, 10.0.0.6"], "203.0.113.9"),
            (vec!["198.51.100.1", "203.0.113.9"], "203.0.113.9"),
            (vec!["not an address, 203.0.113.9"], "203.0.113.9"),
            (vec!["203.0.113.9:4711"], "203.0.113.9"),
            (vec!["[2001:db8::1]:4711"], "2001:db8::1"),
            (vec!["[2001:db8::1]"], "2001:db8::1"),
            (vec!["::ffff:203.0.113.9"], "203.0.113.9"),
            (vec!["10.0.0.6"], "10.0.0.5"),
            (vec![], "10.0.0.5"),
        ] {
            let sent: Vec<_> = list.iter().map(|value| ("x-forwarded-for", *value)).collect();
            let (connection, _) = settled("10.0.0.5", &sent).unwrap();
            assert_eq!(connection.address.to_string(), caller, "{list:?}");
        }
        for wrong in ["203.0.113.9, not an address", "", "203.0.113.9,"] {
            assert_eq!(
                settled("10.0.0.5", &[("x-forwarded-for", wrong)]).unwrap_err(),
                StatusCode::BAD_REQUEST,
                "{wrong}"
            );
        }
    }
}
