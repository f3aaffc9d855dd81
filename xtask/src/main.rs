//! Development verbs of Hilum: `cargo xtask <verb>`.

mod bench;
mod demo;
mod e2e;
mod http;
mod interop;
mod models;
mod openapi;
mod openid_peer;
mod oracles;
#[path = "../../crates/hilum-dimse/tests/ports/mod.rs"]
mod ports;
#[path = "../../crates/hilum-engine/tests/postgres/mod.rs"]
#[allow(dead_code, reason = "each that includes it needs some of it")]
mod postgres;
mod requirements;
mod run;
#[path = "../../crates/hilum-engine/tests/s3/mod.rs"]
#[allow(dead_code, reason = "each that includes it needs some of it")]
mod s3;
mod test;
mod tidy;
mod ui;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Builds, tests and measures Hilum")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Build the user interface and the server, then show four synthetic patients at http://127.0.0.1:8080
    Demo(demo::Demo),
    /// Run every test: format, lints, layout, user interface, Rust
    Test(test::Test),
    /// Run the built binary against the peers' tools (dcmtk, pynetdicom, dicomweb-client, oidc-provider, Chromium)
    Interop(interop::Interop),
    /// Play the flows of ui/e2e against a demonstration, in headless Chromium
    E2e(e2e::EndToEnd),
    /// Measure the server, or with `nn` the network engine beside its peers, and write docs/benchmarks.md
    Bench(bench::Bench),
    /// Compare docs/openapi.json with what the server says of itself, or write it
    #[command(name = "openapi")]
    OpenApi(openapi::OpenApi),
    /// Train the shipped models anew from their plans
    Models(models::Models),
    /// Check the layout: arrows between crates, SQL only in catalog/, sizes, licences
    Tidy,
    /// Build the user interface into ui/dist
    Ui,
}

fn main() -> ExitCode {
    match perform(&Arguments::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\n{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(verb: &Verb) -> anyhow::Result<()> {
    match verb {
        Verb::Demo(demo) => demo::run(demo),
        Verb::Test(test) => test::run(test),
        Verb::Interop(interop) => interop::run(interop),
        Verb::E2e(options) => e2e::run(options),
        Verb::Bench(bench) => bench::run(bench),
        Verb::OpenApi(openapi) => openapi::run(openapi),
        Verb::Models(models) => models::run(models),
        Verb::Tidy => tidy::run(),
        Verb::Ui => ui::build(),
    }
}
