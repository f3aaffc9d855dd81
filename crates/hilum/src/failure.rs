//! How a command fails: exit code 1 when the work failed, 2 when the call is wrong (as clap's own refusals).

use std::process::ExitCode;

/// The call is wrong: an argument or the configuration, not the work.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WrongCall(pub String);

/// Says on standard error what failed, and which exit code that is.
pub fn tell(error: &anyhow::Error) -> ExitCode {
    let wrong_call = error.chain().any(<dyn std::error::Error>::is::<WrongCall>);
    eprintln!("hilum: {}", sentence(error));
    ExitCode::from(if wrong_call { 2 } else { 1 })
}

/// The failure and its causes in one line. A cause that the text before already holds is not said twice.
pub fn sentence(error: &anyhow::Error) -> String {
    let mut said = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if said.is_empty() {
            said = cause;
        } else if !said.contains(&cause) {
            said = format!("{said}: {cause}");
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        let error = anyhow!("no space left").context("catalogue: no space left").context("data folder d");
        assert_eq!(sentence(&error), "data folder d: catalogue: no space left");
    }
}
