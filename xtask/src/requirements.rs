//! What a machine needs, how to get it, and saying so plainly.

use std::process::Command;

use anyhow::bail;

use crate::run;

/// A program that a verb needs and the Debian package that brings it.
pub struct Requirement {
    program: &'static str,
    package: &'static str,
    why: &'static str,
}

const fn need(program: &'static str, package: &'static str, why: &'static str) -> Requirement {
    Requirement { program, package, why }
}

/// What building the product needs.
pub const BUILD: &[Requirement] = &[
    need("cc", "build-essential", "compiles the C parts of the codecs"),
    need("c++", "build-essential", "compiles the JPEG-LS codec"),
    need("cmake", "cmake", "configures the JPEG-LS codec"),
    need("node", "nodejs", "builds the user interface (version 20 or later)"),
    need("npm", "npm", "fetches the user interface's libraries"),
];

/// What the tests need beyond that.
pub const TEST: &[Requirement] =
    &[need("python3", "python3-venv", "runs the independent oracles (pydicom, SciPy ...)")];

/// What tests over a server's catalogue need. Debian keeps the server itself out of the path; its package brings this one.
pub const SERVER: &[Requirement] = &[need("pg_ctlcluster", "postgresql", "keeps a catalogue on a server (PostgreSQL)")];

/// What the peers' tools come from.
pub const PEERS: &[Requirement] = &[
    need("storescu", "dcmtk", "sends DICOM as other systems do"),
    need("dciodvfy", "dicom3tools", "checks written DICOM against the standard"),
    need("DicomSRValidator", "pixelmed-apps", "checks structured reports against their templates"),
    need("Orthanc", "orthanc", "takes results as an archive"),
    need("strace", "strace", "shows what is synchronised before success is said"),
    need("pdftoppm", "poppler-utils", "reads the report back"),
];

/// What opens the pages.
pub const BROWSER: &[Requirement] = &[need("chromium", "chromium", "opens the user interface")];

/// Fails with the command that installs what is missing, or runs it when `install` says so and root on Debian can.
pub fn ensure(sets: &[&[Requirement]], install: bool) -> anyhow::Result<()> {
    let missing: Vec<&Requirement> =
        sets.iter().flat_map(|set| set.iter()).filter(|need| !run::exists(need.program)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut packages: Vec<&str> = missing.iter().map(|need| need.package).collect();
    packages.dedup();
    if install && run::exists("apt-get") && is_root() {
        run::step(&format!("installing {}", packages.join(" ")));
        run::status(Command::new("apt-get").args(["update", "-qq"]))?;
        return run::status(
            Command::new("apt-get")
                .env("DEBIAN_FRONTEND", "noninteractive")
                .args(["install", "-y", "-qq", "--no-install-recommends"])
                .args(&packages),
        );
    }
    for need in &missing {
        eprintln!("missing: {:<10} {}", need.program, need.why);
    }
    bail!("install what is missing with:  sudo apt-get install {}", packages.join(" "));
}

/// Builds cargo-deny where it is missing, so that licences are checked.
pub fn ensure_cargo_deny() -> anyhow::Result<()> {
    if run::exists("cargo-deny") {
        return Ok(());
    }
    run::step("installing cargo-deny");
    run::status(run::cargo().args(["install", "--locked", "--quiet", "cargo-deny"]))
}

/// Fails when Node is older than the user interface's tools allow.
pub fn node_is_recent() -> anyhow::Result<()> {
    let version = run::output(Command::new("node").arg("--version"))?;
    let major: u32 = version.trim().trim_start_matches('v').split('.').next().and_then(|v| v.parse().ok()).unwrap_or(0);
    if major < 20 {
        bail!("Node {} is too old: version 20 or later builds the user interface (https://nodejs.org)", version.trim());
    }
    Ok(())
}

fn is_root() -> bool {
    run::output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}
