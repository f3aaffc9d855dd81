//! `cargo xtask openapi`: docs/openapi.json beside what the code says.

use crate::{run, ui};

/// Options of the verb.
#[derive(clap::Args)]
pub struct OpenApi {
    /// Write docs/openapi.json instead of comparing it
    #[arg(long)]
    write: bool,
}

/// The server's own test compares the document, and writes it where it is told to; the types of the interface follow.
pub fn run(openapi: &OpenApi) -> anyhow::Result<()> {
    let mut command = run::cargo();
    command.args(["test", "--locked", "--quiet", "--workspace", "--test", "it", "--"]);
    command.arg("the_pinned_document_is_the_one_that_is_served_to_anybody");
    if openapi.write {
        command.env("HILUM_WRITE_OPENAPI", "1");
    }
    run::status(&mut command)?;
    // The interface is compiled with what the document says.
    ui::api_types(openapi.write)
}
