//! What every request passes: its number, what is logged of it, who may reach the server by which name, how often, and what a browser may do
//! with the answer.

use std::{net::IpAddr, time::Instant};

use axum::{
    extract::{FromRequestParts, MatchedPath, Request, State},
    http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use hilum_engine::Whence;
use tracing::Instrument;
use uuid::Uuid;

use crate::{
    connection::{self, Connection, Socket},
    error::ApiError,
    limits::{Buckets, network_of},
    names::{Authority, PublicName},
};

/// Scripts, styles and data come from here only. Mantine sets inline styles; Cornerstone's decoders are WebAssembly in workers
/// made from blobs.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' blob:; worker-src 'self' blob:; object-src 'none'; \
     base-uri 'none'; form-action 'self'; frame-ancestors 'self'";

/// Nothing here uses these, whatever a script asks for.
const PERMISSIONS_POLICY: &str = "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), hid=(), \
     magnetometer=(), microphone=(), midi=(), payment=(), serial=(), usb=()";

/// RFC 6797: a year of HTTPS alone. Subdomains may belong to others.
const STRICT_TRANSPORT_SECURITY: &str = "max-age=31536000";

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest head of a request, bytes of its names and values; hyper takes at most 100 of them, and an address of 64 KiB.
const LONGEST_HEAD: usize = 32 * 1024;

/// The number of a request: in its answer, in every line that is logged about it, and an extension for what notes it elsewhere.
#[derive(Clone, Copy, Debug)]
struct RequestId(Uuid);

/// What the guard found out about a request, for whoever needs it later.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) whence: Whence,
    /// Whether the caller's own connection is encrypted.
    pub(crate) secure: bool,
}

impl Arrival {
    /// Every request that passed the guard has one.
    pub(crate) fn of(extensions: &Extensions) -> Result<Self, ApiError> {
        let (connection, number) = (extensions.get::<Connection>(), extensions.get::<RequestId>());
        let passed = connection.zip(number);
        let (connection, number) = passed.ok_or_else(|| ApiError::internal("a request that did not pass the guard"))?;
        let whence = Whence { address: Some(connection.address), request: Some(number.0) };
        Ok(Self { whence, secure: connection.secure })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Arrival {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        Self::of(&parts.extensions)
    }
}

/// Who is let in.
pub(crate) struct Gate {
    pub(crate) public_names: Vec<PublicName>,
    pub(crate) trusted_proxies: Vec<IpAddr>,
    pub(crate) requests: Buckets<IpAddr>,
}

/// Numbers the request and logs method, route pattern, status and time. Addresses are left out, as they hold UIDs and names; so are bodies.
/// A number that the client sends is not taken over: it could name a patient, or another request.
pub(crate) async fn number_and_log(mut request: Request, next: Next) -> Response {
    let id = Uuid::new_v4();
    let text = id.to_string();
    request.extensions_mut().insert(RequestId(id));
    request.headers_mut().remove(REQUEST_ID);
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let started = Instant::now();
    // As long as errors are logged at all, their lines have it.
    let span = tracing::error_span!("request", id = %text);
    async move {
        let mut response = next.run(request).await;
        let route = route.as_ref().map_or("(page)", MatchedPath::as_str);
        let ms = started.elapsed().as_millis() as u64;
        tracing::info!(%method, route, status = response.status().as_u16(), ms, "http");
        if let Ok(value) = HeaderValue::try_from(text) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        response
    }
    .instrument(span)
    .await
}

/// Refuses requests that a web page of another site may have caused, or that are too many, and adds security headers to every answer.
pub(crate) async fn check_and_protect(
    State(gate): State<std::sync::Arc<Gate>>,
    mut request: Request,
    next: Next,
) -> Response {
    let admitted = gate.admit(&mut request);
    let (mut response, secure) = match admitted {
        Ok((connection, is_public)) => {
            request.extensions_mut().insert(connection);
            (next.run(request).await, connection.secure && is_public)
        }
        Err(error) => (error.into_response(), false),
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert("permissions-policy", HeaderValue::from_static(PERMISSIONS_POLICY));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    if secure {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(STRICT_TRANSPORT_SECURITY));
    }
    // Patient data stay out of the browser's disk cache; the embedded files set their own rule.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

impl Gate {
    /// Where the request comes from, and whether it calls us by another name than localhost: browsers keep HSTS by name, and other programs
    /// on localhost have no HTTPS.
    fn admit(&self, request: &mut Request) -> Result<(Connection, bool), ApiError> {
        let socket = request.extensions().get::<Socket>().copied();
        let socket = socket.ok_or_else(|| ApiError::internal("a request without a socket"))?;
        let connection = connection::settle(socket, request.headers_mut(), &self.trusted_proxies)?;
        // What runs on this machine is no stranger.
        if !connection.address.is_loopback() {
            self.requests.take(network_of(connection.address)).map_err(ApiError::too_many_requests)?;
        }
        let length = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len();
        if request.headers().iter().map(length).sum::<usize>() > LONGEST_HEAD {
            return Err(ApiError::new(
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "head_too_long",
                format!("the head of this request is longer than {LONGEST_HEAD} bytes"),
            ));
        }
        let host = self.host(socket, request).ok_or_else(|| {
            ApiError::new(
                StatusCode::MISDIRECTED_REQUEST,
                "unknown_host",
                "this server answers to localhost, 127.0.0.1 and [::1], and to the names in public_names of its configuration",
            )
        })?;
        // A page of another site may open a socket, and would read what comes: no rule of browsers forbids it (RFC 6455 10.2).
        let opens_socket = request.headers().contains_key(header::UPGRADE);
        let reading = (request.method() == Method::GET || request.method() == Method::HEAD) && !opens_socket;
        if !reading && comes_from_another_site(request.headers(), host, connection.secure) {
            let message = "a page of another site may not send anything here";
            return Err(ApiError::new(StatusCode::FORBIDDEN, "foreign_origin", message));
        }
        Ok((connection, !host.is_loopback()))
    }

    /// By which name the request calls us. A name that resolves to our address (DNS rebinding) shows here.
    fn host<'a>(&self, socket: Socket, request: &'a Request) -> Option<Authority<'a>> {
        let mut hosts = request.headers().get_all(header::HOST).iter();
        let (host, None) = (hosts.next()?.to_str().ok()?, hosts.next()) else { return None };
        // RFC 9112 3.2.2: an address in the first line goes before Host; here both must be the same.
        if request.uri().authority().is_some_and(|authority| !authority.as_str().eq_ignore_ascii_case(host)) {
            return None;
        }
        let host = Authority::parse(host)?;
        let is_ours = |address: IpAddr| address == socket.local && !self.trusted_proxies.contains(&socket.peer);
        (host.is_loopback() || host.is_among(&self.public_names) || host.address().is_some_and(is_ours)).then_some(host)
    }
}

/// A form or script of another site shows in Origin and Sec-Fetch-Site. There is no CORS header: other sites read nothing.
fn comes_from_another_site(headers: &HeaderMap, host: Authority<'_>, secure: bool) -> bool {
    let is_ours = |origin: &HeaderValue| {
        let (scheme, origin) = origin.to_str().ok()?.split_once("://")?;
        let origin = Authority::parse(origin)?;
        // A page that is being worked on is served by another port of localhost.
        let on_this_machine = host.is_loopback() && origin.is_loopback();
        let same = scheme == if secure { "https" } else { "http" } && origin.is_same_place(host, secure);
        Some(on_this_machine || same)
    };
    headers.get(header::ORIGIN).is_some_and(|origin| is_ours(origin) != Some(true))
        || headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site")
}
