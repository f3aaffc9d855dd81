//! `cargo xtask test`: every test, in the order in which a mistake is cheapest to find.

use std::process::Command;

use anyhow::Context as _;

use crate::{openid_peer, oracles, postgres, requirements, run, s3, tidy, ui};

/// Options of the verb.
#[derive(clap::Args)]
pub struct Test {
    /// Install missing Debian packages (as root), the oracles' Python environment and the peers of `cargo xtask interop`
    #[arg(long)]
    install: bool,
}

/// Format, layout, licences, user interface, lints, tests.
pub fn run(test: &Test) -> anyhow::Result<()> {
    requirements::ensure(&[requirements::BUILD, requirements::TEST], test.install)?;
    if test.install {
        requirements::ensure(&[requirements::PEERS, requirements::SERVER], true)?;
        requirements::ensure_cargo_deny()?;
        openid_peer::folder(true)?;
    }
    let python = oracles::python(test.install)?;
    if python.is_none() {
        println!(
            "The oracles are not installed: tests that need them are skipped (cargo xtask test --install brings them)."
        );
    }
    run::step("format");
    run::status(run::cargo().args(["fmt", "--all", "--check"]))?;
    tidy::run()?;
    ui::build()?;
    ui::test(python.as_deref())?;
    run::step("lints");
    run::status(run::cargo().args([
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
    let store = match &python {
        Some(python) => s3::Server::start(python).context("a throw-away S3 service")?,
        None => None,
    };
    let tests = || {
        let mut command = run::cargo();
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
        if let Some(store) = &store {
            command.env(s3::SERVER, store.address().to_string());
        }
        command
    };
    run::step("tests");
    run::status(&mut tests())?;
    if store.is_none() {
        println!("The oracles have no moto: no tests run over S3 (cargo xtask test --install brings it).");
    } else {
        run::step("tests over S3");
        let mut command = tests();
        command.env("HILUM_TEST_STORE", "s3");
        only(&mut command, OVER_S3);
        run::status(&mut command)?;
    }
    if server.is_none() {
        println!("PostgreSQL is not installed: no tests run over it (cargo xtask test --install brings it).");
        return Ok(());
    }
    run::step("tests over PostgreSQL");
    let mut command = tests();
    command.env("HILUM_TEST_CATALOGUE", "postgres");
    only(&mut command, OVER_POSTGRES);
    run::status(&mut command)
}

/// Restricts a run to some of the tests, as far as the runner can.
fn only(command: &mut Command, filter: &str) {
    if run::exists("cargo-nextest") {
        command.args(["--filterset", filter]);
    } else {
        command.args(["--test", "it"]);
    }
}

/// The tests in which the store of objects has a part, but for some slow ones in which it has a small one.
const OVER_S3: &str = "kind(test) & (package(hilum-engine) | package(hilum-web)) \
    & not test(/^(report|nifti|postgres|s3|find)::|the_queue_distributes|cancelled_while_it_runs\
    |every_file_of_the_conformance/)";

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
    run::status(run::cargo().args(["check", "--locked", "--quiet", "--package", "hilum-nn", "--target", ARM]))
}
