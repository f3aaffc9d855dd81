//! Secrets that are handed out once and looked for by their digest.

use crate::error::EngineError;
use sha2::{Digest, Sha256};

/// 256 random bits, hexadecimal.
pub(super) fn new() -> Result<String, EngineError> {
    Ok(crate::storage::hex(&random::<32>()?))
}

/// So many random bytes.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], EngineError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| EngineError::Internal(format!("the operating system has no random numbers: {error}")))?;
    Ok(bytes)
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
