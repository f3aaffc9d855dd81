//! `hilum key`: what is encrypted in the catalogue, and with which key.

use anyhow::bail;
use hilum_engine::{
    WorkControl,
    keys::{Key, counted},
};

use crate::{
    cli::KeyCommand,
    commands::accounts::{print_table, with_engine},
    progress,
    settings::Settings,
};

pub fn run(settings: &Settings, command: &KeyCommand) -> anyhow::Result<()> {
    match command {
        KeyCommand::New(arguments) if arguments.print => {
            println!("{}", *Key::random()?.text());
            Ok(())
        }
        KeyCommand::New(_) => with_engine(settings, async |engine, scope| {
            let id = engine.add_key(scope).await?;
            println!("{id} is the current key; keep a copy of {} apart from the backups", settings.key_place());
            Ok(())
        }),
        KeyCommand::List(arguments) => with_engine(settings, async |engine, scope| {
            let keys = engine.key_list(scope).await?;
            if arguments.json {
                println!("{}", serde_json::to_string_pretty(&keys)?);
                return Ok(());
            }
            let mut rows = vec![["id", "state", "needed for"].map(str::to_owned).to_vec()];
            rows.extend(keys.iter().map(|key| {
                let state = match (key.at_hand, key.current) {
                    (false, _) => "MISSING",
                    (true, true) => "current",
                    (true, false) => "old",
                };
                vec![key.id.to_string(), state.to_owned(), counted(&key.needed_for)]
            }));
            print_table(&rows);
            Ok(())
        }),
        KeyCommand::Rotate(arguments) => with_engine(settings, async |engine, scope| {
            let following = WorkControl::new();
            let work = Box::pin(engine.rotate_keys(scope, &following));
            let done = progress::watched("encrypting", &following, work).await??;
            if arguments.json {
                println!("{}", serde_json::to_string_pretty(&done)?);
            } else {
                println!("{} encrypted anew; the current key is {}", done.encrypted_anew, done.key);
            }
            if done.cancelled {
                bail!("stopped before the end; the same command goes on where it stopped");
            }
            if let Some(key) = done.missing.first() {
                let needed = counted(&key.needed_for);
                bail!("{needed} stay as they are: their key {} is not in {}", key.id, settings.key_place());
            }
            if !arguments.json {
                println!(
                    "keep a copy of {} apart from the backups; `hilum key forget` takes old keys out",
                    settings.key_place()
                );
            }
            Ok(())
        }),
        KeyCommand::Forget(arguments) => {
            with_engine(settings, async |engine, scope| Ok(engine.forget_key(scope, &arguments.id).await?))
        }
    }
}
