//! `cargo xtask test`: every test, in the order in which a mistake is cheapest to find.

use std::process::Command;

use anyhow::Context as _;

use crate::{oracles, postgres, requirements, run, tidy, ui};

/// Options of the verb.
#[derive(clap::Args)]
pub struct Test {
    /// Install missing Debian packages (as root) and the oracles' Python environment
    #[arg(long)]
    install: bool,
}

/// Format, layout, licences, user interface, lints, tests.
pub fn run(test: &Test) -> anyhow::Result<()> {
    requirements::ensure(&[requirements::BUILD, requirements::TEST], test.install)?;
    if test.install {
        requirements::ensure(&[requirements::PEERS, requirements::SERVER], true)?;
        requirements::ensure_cargo_deny()?;
    }
    let python = oracles::python(test.install)?;
    if python.is_none() {
        println!(
            "The oracles are not installed: tests that need them are skipped (cargo xtask test --install brings them)."
        );
    }
    run::step("format");
    run::status(Command::new(run::cargo()).args(["fmt", "--all", "--check"]))?;
    tidy::run()?;
    ui::build()?;
    ui::test()?;
    run::step("lints");
    run::status(Command::new(run::cargo()).args([
        "clippy",
        "--locked",
        "--workspace",
        "--all-targets",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ]))?;
    check_neon()?;
    let server = postgres::Server::start(postgres::THROW_AWAY).context("a throw-away PostgreSQL server")?;
    let tests = || {
        let mut command = Command::new(run::cargo());
        let nextest: &[&str] = if run::exists("cargo-nextest") { &["nextest", "run"] } else { &["test"] };
        command.args(nextest).args(["--locked", "--workspace", "--no-fail-fast"]);
        if let Some(python) = &python {
            command.env("HILUM_ORACLE_PYTHON", python);
        }
        if let Some(shared) = run::shared() {
            command.env("HILUM_SHARED", shared);
        }
        if let Some(server) = &server {
            command.env(postgres::SERVER, server.socket());
        }
        command
    };
    run::step("tests");
    run::status(&mut tests())?;
    if server.is_none() {
        println!("PostgreSQL is not installed: no tests run over it (cargo xtask test --install brings it).");
        return Ok(());
    }
    run::step("tests over PostgreSQL");
    let mut command = tests();
    command.env("HILUM_TEST_CATALOGUE", "postgres");
    if run::exists("cargo-nextest") {
        command.args(["--filterset", OVER_POSTGRES]);
    } else {
        command.args(["--test", "it"]);
    }
    run::status(&mut command)
}

/// The tests in which the catalogue has a part, but for some slow ones in which it has a small one.
const OVER_POSTGRES: &str = "kind(test) & (package(hilum-engine) | package(hilum-web)) \
    & not test(/^(real|report|nifti|postgres)::|the_queue_distributes|cancelled_while_it_runs|every_file_of_the_conformance/)";

/// 64-bit ARM, whose kernels no machine of ours runs.
const ARM: &str = "aarch64-unknown-linux-gnu";

/// Compiles the engine's NEON kernels, where the target is installed.
fn check_neon() -> anyhow::Result<()> {
    let targets = Command::new("rustup").args(["target", "list", "--installed"]).output();
    if !targets.is_ok_and(|told| String::from_utf8_lossy(&told.stdout).lines().any(|target| target == ARM)) {
        println!("SKIPPED: hilum-nn's NEON kernels are not compiled: rustup target add {ARM} brings the target.");
        return Ok(());
    }
    run::step("NEON kernels");
    run::status(Command::new(run::cargo()).args([
        "check",
        "--locked",
        "--quiet",
        "--package",
        "hilum-nn",
        "--target",
        ARM,
    ]))
}
