//! `hilum forwards`

use hilum_engine::{
    Scope,
    forwarding::{ForwardSearch, ForwardState},
};

use crate::{
    cli::{ForwardStateArgument, ForwardsArguments},
    commands::{DATA, block_on, with_engine},
    failure::WrongCall,
    node::table,
    settings::Settings,
};

pub fn run(settings: &Settings, arguments: &ForwardsArguments) -> anyhow::Result<()> {
    settings.start_log("error")?;
    let data_dir = settings.data_dir(DATA);
    if !data_dir.exists() {
        return Err(WrongCall(format!("data folder {} does not exist", data_dir.display())).into());
    }
    let scope = Scope::console(arguments.institution.clone());
    let search = ForwardSearch {
        state: arguments.state.map(|state| match state {
            ForwardStateArgument::Waiting => ForwardState::Waiting,
            ForwardStateArgument::Sent => ForwardState::Sent,
            ForwardStateArgument::Failed => ForwardState::Failed,
        }),
        peer: arguments.peer.clone(),
        after: arguments.after.clone(),
        limit: Some(arguments.limit),
    };
    let (due, page) = block_on(with_engine(settings, &data_dir, async |engine| {
        let due =
            if arguments.retry { Some(engine.retry_forwards(&scope, arguments.peer.as_ref()).await?) } else { None };
        Ok((due, engine.forwards(&scope, &search).await?))
    }))?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&page)?);
        return Ok(());
    }
    if let Some(due) = due {
        println!("{due} forwards are due now");
    }
    let headings = ["peer", "state", "tries", "next try", "instance", "reason"];
    let mut rows = vec![headings.map(str::to_owned).to_vec()];
    rows.extend(page.items.into_iter().map(|forward| {
        let next_try = if forward.state == ForwardState::Waiting { forward.next_try_at } else { String::new() };
        let tries = forward.tries.to_string();
        let reason = forward.reason.unwrap_or_default();
        vec![forward.peer, forward.state.as_str().to_owned(), tries, next_try, forward.sop_uid, reason]
    }));
    for line in table::lines(&rows) {
        println!("{line}");
    }
    if let Some(next) = page.next {
        eprintln!("hilum: there are more; --after {next} lists them");
    }
    Ok(())
}
