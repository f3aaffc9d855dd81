//! The embedded user interface.

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::error::ApiError;

/// One embedded file.
struct File {
    /// Relative path with slashes.
    path: &'static str,
    /// Quoted, as the header carries it.
    etag: &'static str,
    identity: &'static [u8],
    gzip: Option<&'static [u8]>,
}

mod embedded {
    use super::File;

    include!(concat!(env!("OUT_DIR"), "/ui_files.rs"));
}

/// First path segments that are never pages: an unknown address below them is an error, not the application.
const NOT_PAGES: [&str; 6] = ["api", "dicom-web", "wado", "assets", "healthz", "readyz"];

/// A file by its path; the page for every other address, which the application routes itself.
pub(crate) async fn serve(request: Request) -> Response {
    let path = request.uri().path().trim_start_matches('/');
    let first = path.split('/').next().unwrap_or_default();
    let get = request.method() == Method::GET || request.method() == Method::HEAD;
    let file = match find(path) {
        Some(file) if get => file,
        _ if !get || NOT_PAGES.contains(&first) => return ApiError::not_found().into_response(),
        _ => match find("index.html") {
            Some(page) => page,
            None => return ApiError::not_found().into_response(),
        },
    };
    respond(file, request.headers())
}

fn find(path: &str) -> Option<&'static File> {
    embedded::FILES.binary_search_by(|file| file.path.cmp(path)).ok().map(|index| &embedded::FILES[index])
}

fn respond(file: &File, headers: &HeaderMap) -> Response {
    // Vite names everything below assets/ by its content, so a name never changes its meaning.
    let cache = if file.path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let common = [
        (header::ETAG, file.etag),
        (header::CACHE_CONTROL, cache),
        (header::VARY, "accept-encoding"),
        (header::CONTENT_TYPE, content_type(file.path)),
    ];
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if text(header::IF_NONE_MATCH).split(',').any(|tag| tag.trim().trim_start_matches("W/") == file.etag) {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    match file.gzip {
        Some(gzip) if accepts_gzip(text(header::ACCEPT_ENCODING)) => {
            (common, [(header::CONTENT_ENCODING, "gzip")], Body::from(gzip)).into_response()
        }
        _ => (common, Body::from(file.identity)).into_response(),
    }
}

/// RFC 9110 12.5.3, as far as one coding goes: `gzip` is listed, and not with weight 0.
fn accepts_gzip(accept_encoding: &str) -> bool {
    accept_encoding.split(',').any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Ok(1.0), str::parse::<f32>);
        named && weight.is_ok_and(|weight| weight > 0.0)
    })
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "woff" => "font/woff",
        "ttf" => "font/ttf",
        "wasm" => "application/wasm",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_that_binary_search_needs() {
        assert!(embedded::FILES.is_sorted_by_key(|file| file.path));
        assert!(find("index.html").is_some());
    }

    #[test]
    fn a_coding_of_weight_zero_is_not_accepted() {
        for (header, accepted) in [
            ("gzip", true),
            ("br, gzip;q=0.5", true),
            ("gzip;q=0", false),
            ("br", false),
            ("", false),
            ("gzipx", false),
        ] {
            assert_eq!(accepts_gzip(header), accepted, "{header}");
        }
    }
}
