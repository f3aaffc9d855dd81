//! `hilum echo`

use std::time::Instant;

use hilum_dimse::Scu;

use crate::{cli::EchoArguments, commands::block_on, node::advice::explain, settings::Settings};

pub fn run(settings: &Settings, arguments: &EchoArguments) -> anyhow::Result<()> {
    settings.start_log("error")?;
    let peer = &settings.peer(&arguments.peer)?.peer;
    let scu = Scu::new(settings.calling()?);
    let started = Instant::now();
    block_on(async { scu.echo(peer).await.map_err(|error| explain(&error, peer, settings)) })?;
    let milliseconds = started.elapsed().as_secs_f64() * 1000.0;
    if arguments.json {
        println!("{}", serde_json::json!({ "peer": peer.ae_title.as_str(), "milliseconds": milliseconds }));
    } else {
        println!("{} answers ({milliseconds:.1} ms, {})", peer.ae_title, if peer.tls { "TLS" } else { "in the clear" });
    }
    Ok(())
}
