//! The application entity that an address names.

use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::request::Parts,
};
use hilum_dicom::AeTitle;

use crate::{
    error::ApiError,
    openapi::{Sketch, Takes},
};

/// What an address allows of an AE title.
pub(crate) const PATTERN: &str = "^[A-Za-z0-9]([A-Za-z0-9 _.-]{0,14}[A-Za-z0-9_.-])?$";

/// The application entity, and what else the address names.
pub(super) struct Titled {
    pub(super) title: AeTitle,
    /// A UID, where the address has one.
    pub(super) work_item: Option<String>,
}

impl Takes for Titled {
    fn told(_sketch: &mut Sketch) {}
}

impl<S: Send + Sync> FromRequestParts<S> for Titled {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = RawPathParams::from_request_parts(parts, state).await?;
        let named = |name: &str| path.iter().find(|(own, _)| *own == name).map(|(_, value)| value.to_owned());
        let title = named("ae_title").filter(|title| is_plain(title)).and_then(|title| title.parse().ok());
        let title = title.ok_or_else(|| {
            ApiError::bad_request(
                "the address names no AE title; expected 1 to 16 letters, digits, spaces within, '_', '.' or '-'",
            )
        })?;
        Ok(Self { title, work_item: named("workitem") })
    }
}

/// As [`PATTERN`] says it.
fn is_plain(title: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b" _.-".contains(&byte);
    let bytes = title.as_bytes();
    bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(|last| *last != b' ')
        && bytes.len() <= 16
        && bytes.iter().all(|byte| inner(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_in_addresses_are_plain() {
        for title in ["HILUM", "A", "CT 1", "a_b.c-d", "ABCDEFGHIJKLMNOP"] {
            assert!(is_plain(title), "{title}");
        }
        for title in ["", " A", "A ", ".A", "ABCDEFGHIJKLMNOPQ", "A\\B", "A/B", "한글", "A\n"] {
            assert!(!is_plain(title), "{title}");
        }
    }
}
