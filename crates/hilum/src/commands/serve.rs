//! `hilum serve`

use std::sync::Arc;

use crate::{
    cli::ServeArguments,
    commands::{DATA, block_on},
    server::Server,
    settings::Settings,
    shutdown::Shutdown,
};

/// What a server logs unless told otherwise: its own doings, and of its libraries only what is wrong.
pub(super) const LOG: &str =
    "warn,hilum=info,hilum_web=info,hilum_dimse=info,hilum_engine=info,apalis=error,sqlx::query=error";

pub fn run(mut settings: Settings, arguments: &ServeArguments) -> anyhow::Result<()> {
    settings.start_log(LOG)?;
    listen_where_told(&mut settings, arguments);
    let data_dir = settings.data_dir(DATA);
    block_on(async {
        let shutdown = Shutdown::on_signals()?;
        let engine = settings.engine(&data_dir);
        let server = Server::open(Arc::new(settings), &data_dir, engine).await?;
        Box::pin(server.run(&shutdown)).await
    })
}

/// The command line goes before the file.
pub(super) fn listen_where_told(settings: &mut Settings, arguments: &ServeArguments) {
    settings.http = arguments.http.unwrap_or(settings.http);
    settings.dimse = arguments.dimse.unwrap_or(settings.dimse);
}
