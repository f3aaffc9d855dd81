//! Secrets that are handed out once and looked for by their digest.

use crate::error::EngineError;
use sha2::{Digest, Sha256};

/// 256 random bits, hexadecimal.
pub(super) fn new() -> Result<String, EngineError> {
    let mut bits = [0; 32];
    getrandom::fill(&mut bits)
        .map_err(|error| EngineError::Internal(format!("the operating system has no random numbers: {error}")))?;
    Ok(crate::storage::hex(&bits))
}

/// SHA-256, hexadecimal. A secret of 256 random bits needs no slow digest.
pub(super) fn digest(secret: &str) -> String {
    let digest: [u8; 32] = Sha256::digest(secret.as_bytes()).into();
    crate::storage::hex(&digest)
}

/// What a page shows with each change, so that a page of another site cannot make one (OWASP, synchronizer token): it is derived from
/// the session's secret, and says nothing of it.
pub(super) fn csrf(session: &str) -> String {
    digest(&format!("csrf {session}"))
}
