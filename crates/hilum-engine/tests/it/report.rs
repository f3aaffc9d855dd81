//! The report as files, read back by other people's programs.

mod fixture;
mod key_images;
mod page;
mod review_pages;
mod workbook;

use std::path::Path;
use std::process::Command;

/// Runs a program that plays the oracle; `None` (with a printed reason) where it is not installed.
pub fn oracle(program: &str, arguments: &[&str], file: &Path) -> Option<String> {
    match Command::new(program).args(arguments).arg(file).arg("-").output() {
        Ok(output) => {
            assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
            Some(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        Err(_) => skipped(&format!("{program} is not installed (apt-get install poppler-utils)")),
    }
}

/// Where oracles are required, a missing one is a failure.
fn skipped<T>(reason: &str) -> Option<T> {
    assert!(std::env::var("HILUM_REQUIRE_ORACLES").as_deref() != Ok("1"), "{reason}");
    println!("SKIPPED: {reason}");
    None
}
