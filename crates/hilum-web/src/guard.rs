//! What every request passes: who may reach a server on loopback, what a browser may do with its answers, what is logged.

use std::{net::IpAddr, time::Instant};

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::error::ApiError;

/// Scripts, styles and data come from here only. Mantine sets inline styles; Cornerstone's decoders are WebAssembly in workers
/// made from blobs.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' blob:; worker-src 'self' blob:; object-src 'none'; \
     base-uri 'none'; form-action 'self'; frame-ancestors 'self'";

/// Refuses requests that a web page of another site may have caused, and adds security headers to every answer.
///
/// A name that resolves to 127.0.0.1 (DNS rebinding) shows in Host, a form or script of another site in Origin and
/// Sec-Fetch-Site. There is no CORS header: other sites read nothing.
pub(crate) async fn check_and_protect(request: Request, next: Next) -> Response {
    let mut response = match refusal(request.method(), request.headers()) {
        Some(error) => error.into_response(),
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    // Patient data stay out of the browser's disk cache; the embedded files set their own rule.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

fn refusal(method: &Method, headers: &HeaderMap) -> Option<ApiError> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    if !host.is_some_and(is_loopback_authority) {
        return Some(ApiError::new(
            StatusCode::MISDIRECTED_REQUEST,
            "unknown_host",
            "this server answers to localhost, 127.0.0.1 and [::1] only",
        ));
    }
    if method == Method::GET || method == Method::HEAD {
        return None;
    }
    let foreign_origin = headers.get(header::ORIGIN).is_some_and(|origin| {
        !origin
            .to_str()
            .is_ok_and(|origin| origin.split_once("://").is_some_and(|(_, host)| is_loopback_authority(host)))
    });
    let cross_site = headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site");
    (foreign_origin || cross_site).then(|| {
        ApiError::new(StatusCode::FORBIDDEN, "foreign_origin", "a page of another site may not send anything here")
    })
}

/// Is this `host[:port]` a name of this machine that no other site can have?
fn is_loopback_authority(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Logs method, route pattern, status and time. Addresses are left out, as they hold UIDs; bodies hold names.
pub(crate) async fn log(request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let started = Instant::now();
    let response = next.run(request).await;
    let route = route.as_ref().map_or("(page)", MatchedPath::as_str);
    let ms = started.elapsed().as_millis() as u64;
    tracing::info!(%method, route, status = response.status().as_u16(), ms, "http");
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_loopback() {
        for ours in ["localhost", "LocalHost:8080", "127.0.0.1", "127.0.0.1:1", "127.9.9.9", "[::1]", "[::1]:8080"] {
            assert!(is_loopback_authority(ours), "{ours}");
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
        ] {
            assert!(!is_loopback_authority(foreign), "{foreign}");
        }
    }
}
