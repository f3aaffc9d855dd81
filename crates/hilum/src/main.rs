//! The Hilum binary: one program for server, import, reading and training.

mod certificate;
mod certificates;
mod cli;
mod commands;
mod doctor;
mod emr;
mod failure;
mod job_lock;
mod memory;
mod node;
mod outbox;
mod phantom_files;
mod progress;
mod server;
mod settings;
mod shutdown;
mod site;

use std::process::ExitCode;

use clap::Parser;

use crate::{
    cli::{AuditCommand, Cli, Command, ModelCommand},
    settings::Settings,
};

fn main() -> ExitCode {
    memory::keep_what_is_freed();
    let Cli { common, command } = Cli::parse();
    let done = Settings::load(&common).and_then(|settings| match command {
        Command::Serve(arguments) => commands::serve::run(settings, &arguments),
        Command::Demo(arguments) => commands::demo::run(settings, &arguments),
        Command::Import(arguments) => commands::import::run(&settings, &arguments),
        Command::Echo(arguments) => commands::echo::run(&settings, &arguments),
        Command::Query(arguments) => commands::query::query(&settings, &arguments),
        Command::Retrieve(arguments) => commands::retrieve::run(&settings, &arguments),
        Command::Send(arguments) => commands::send::run(&settings, &arguments),
        Command::Forwards(arguments) => commands::forwards::run(&settings, &arguments),
        Command::Deliveries(arguments) => commands::deliveries::run(&settings, &arguments),
        Command::WorklistImport(arguments) => commands::worklist_import::run(&settings, &arguments),
        Command::Worklist(arguments) => commands::query::worklist(&settings, &arguments),
        Command::Check(arguments) => commands::upkeep::check(&settings, &arguments),
        Command::Backup(arguments) => commands::upkeep::backup(&settings, &arguments),
        Command::Restore(arguments) => commands::upkeep::restore(&settings, &arguments),
        Command::Doctor(arguments) => commands::doctor::run(&settings, &arguments),
        Command::Export(arguments) => commands::export::run(&settings, &arguments),
        Command::Report(arguments) => commands::report::run(&settings, &arguments),
        Command::Predict(arguments) => commands::predict::run(&arguments),
        Command::Train(arguments) => commands::train::run(&settings, &arguments),
        Command::Evaluate(arguments) => commands::evaluate::run(&arguments),
        Command::Phantom(arguments) => commands::phantom::run(&arguments),
        Command::User(command) => commands::accounts::user(&settings, &command),
        Command::Token(command) => commands::accounts::token(&settings, &command),
        Command::Institution(command) => commands::accounts::institution(&settings, &command),
        Command::Key(command) => commands::keys::run(&settings, &command),
        Command::Audit(AuditCommand::Verify(arguments)) => commands::audit::verify(&settings, &arguments),
        Command::Audit(AuditCommand::List(arguments)) => commands::audit::list(&settings, &arguments),
        Command::Rules(command) => commands::rules::run(&settings, &command),
        Command::Quality(arguments) => commands::quality::run(&settings, &arguments),
        Command::Model(ModelCommand::List(arguments)) => commands::model::list(&settings, &arguments),
        Command::Model(ModelCommand::Verify(arguments)) => commands::model::verify(&arguments),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::tell(&error),
    }
}
