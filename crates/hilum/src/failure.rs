//! How a command fails: exit code 1 when the work failed, 2 when the call is wrong (as clap's own refusals).

use std::process::ExitCode;

/// The call is wrong: an argument or the configuration, not the work.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WrongCall(pub String);

/// Says on standard error what failed, and which exit code that is.
pub fn tell(error: &anyhow::Error) -> ExitCode {
    let wrong_call = error.chain().any(|cause| cause.is::<WrongCall>());
    eprintln!("hilum: {error:#}");
    ExitCode::from(if wrong_call { 2 } else { 1 })
}
