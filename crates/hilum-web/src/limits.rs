//! How much of the server one caller may have: requests a second, connections, bytes of a body.

use std::{
    collections::HashMap,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;

use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{error::ApiError, server::Server};

/// Longest body of a request below `/api/v1`, bytes.
const LONGEST_BODY: usize = 1 << 20;
/// Callers that are remembered at a time; whoever stayed below its rate is forgotten first.
const MOST_CALLERS: usize = 16_384;

/// Token buckets, one for each caller: `burst` at once, and `per_second` more each second.
pub(crate) struct Buckets<K> {
    per_second: f64,
    burst: f64,
    filled: Mutex<HashMap<K, Bucket>>,
}

#[derive(Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl<K: Eq + Hash> Buckets<K> {
    /// Ten seconds' worth may come at once.
    pub(crate) fn new(per_second: u32) -> Self {
        let per_second = f64::from(per_second);
        Self { per_second, burst: per_second * 10.0, filled: Mutex::default() }
    }

    /// Takes one token, or says after how long there is one.
    pub(crate) fn take(&self, caller: K) -> Result<(), Duration> {
        self.take_at(caller, Instant::now())
    }

    fn take_at(&self, caller: K, now: Instant) -> Result<(), Duration> {
        let tokens_at = |bucket: &Bucket| {
            let since = now.saturating_duration_since(bucket.at).as_secs_f64();
            (bucket.tokens + since * self.per_second).min(self.burst)
        };
        let mut filled = self.filled.lock().unwrap_or_else(PoisonError::into_inner);
        if filled.len() >= MOST_CALLERS && !filled.contains_key(&caller) {
            filled.retain(|_, bucket| tokens_at(bucket) < self.burst);
            if filled.len() >= MOST_CALLERS {
                // So many addresses at once are an attack that a limit by address does not stop; memory stays bounded.
                filled.clear();
            }
        }
        let bucket = filled.entry(caller).or_insert(Bucket { tokens: self.burst, at: now });
        let tokens = tokens_at(bucket);
        let taken = tokens >= 1.0;
        *bucket = Bucket { tokens: if taken { tokens - 1.0 } else { tokens }, at: now };
        if taken { Ok(()) } else { Err(Duration::from_secs_f64((1.0 - tokens) / self.per_second)) }
    }
}

/// Whom a limit by address counts as one: an address of IPv4, and a /64 network of IPv6, of which one machine has all addresses.
pub(crate) fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address @ IpAddr::V4(_) => address,
    }
}

/// Connections that are open, by network.
#[derive(Clone, Default)]
pub(crate) struct Connections(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One of them; gone when dropped.
pub(crate) struct OpenConnection {
    connections: Connections,
    network: IpAddr,
}

impl Connections {
    /// None where this network has `most` already.
    pub(crate) fn open(&self, address: IpAddr, most: usize) -> Option<OpenConnection> {
        let network = network_of(address);
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(network).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(OpenConnection { connections: self.clone(), network })
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        let mut open = self.connections.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.network);
            }
        }
    }
}

/// Below `/api/v1` a body is taken whole before anything looks at it: up to 1 MiB, and within the time that a sender may be silent.
pub(crate) async fn whole_body(State(server): State<Server>, request: Request, next: Next) -> Response {
    let stated = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if stated.is_some_and(|length: u64| length > LONGEST_BODY as u64) {
        return too_long().into_response();
    }
    let (parts, body) = request.into_parts();
    match taken_whole(&server, body).await {
        Ok(bytes) => next.run(Request::from_parts(parts, Body::from(bytes))).await,
        Err(error) => error.into_response(),
    }
}

/// A body of up to 1 MiB, which arrives within the time that a sender may be silent.
pub(crate) async fn taken_whole(server: &Server, body: Body) -> Result<Bytes, ApiError> {
    match tokio::time::timeout(server.read_timeout, to_bytes(body, LONGEST_BODY)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if is_length_limit(&error) => Err(too_long()),
        Ok(Err(_)) => Err(ApiError::bad_request("the body of the request broke off")),
        Err(_) => {
            let message = format!("the body did not arrive within {} s", server.read_timeout.as_secs_f32());
            Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", message))
        }
    }
}

fn too_long() -> ApiError {
    let message = format!("the body of this request may have {LONGEST_BODY} bytes");
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_long", message)
}

fn is_length_limit(error: &axum::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if error.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_lets_a_burst_through_and_then_its_rate() {
        let buckets = Buckets::new(2);
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        for _ in 0..20 {
            assert_eq!(buckets.take_at("a", start), Ok(()));
        }
        assert_eq!(buckets.take_at("a", start), Err(Duration::from_millis(500)));
        assert_eq!(buckets.take_at("b", start), Ok(()), "another caller has its own");
        assert_eq!(buckets.take_at("a", after(499)).map_err(|wait| wait.as_millis()), Err(1));
        assert_eq!(buckets.take_at("a", after(500)), Ok(()));
        assert!(buckets.take_at("a", after(500)).is_err());
        for _ in 0..20 {
            assert_eq!(buckets.take_at("a", after(3_600_000)), Ok(()), "never more than the burst");
        }
        assert!(buckets.take_at("a", after(3_600_000)).is_err());
    }

    #[test]
    fn callers_that_are_remembered_are_bounded() {
        let buckets = Buckets::new(1);
        let start = Instant::now();
        for caller in 0..MOST_CALLERS * 2 + 5 {
            buckets.take_at(caller, start).unwrap();
        }
        assert!(buckets.filled.lock().unwrap().len() <= MOST_CALLERS);
    }

    #[test]
    fn a_network_of_ipv6_is_one_caller() {
        let network = |text: &str| network_of(text.parse().unwrap());
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:1"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
    }

    #[test]
    fn a_network_has_its_share_of_connections() {
        let connections = Connections::default();
        let address = "192.0.2.1".parse().unwrap();
        let first = connections.open(address, 2);
        let second = connections.open(address, 2);
        assert!(first.is_some() && second.is_some() && connections.open(address, 2).is_none());
        assert!(connections.open("192.0.2.2".parse().unwrap(), 2).is_some());
        drop(first);
        assert!(connections.open(address, 2).is_some());
        drop(second);
        assert!(connections.0.lock().unwrap().is_empty());
    }
}
