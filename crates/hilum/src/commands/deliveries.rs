//! `hilum deliveries`

use hilum_engine::{
    Scope,
    deliveries::{DeliverySearch, DeliveryState},
};

use crate::{
    cli::{DeliveriesArguments, DeliveryStateArgument},
    commands::{DATA, block_on, with_engine},
    failure::WrongCall,
    node::table,
    settings::Settings,
};

pub fn run(settings: &Settings, arguments: &DeliveriesArguments) -> anyhow::Result<()> {
    settings.start_log("error")?;
    let data_dir = settings.data_dir(DATA);
    if !data_dir.exists() {
        return Err(WrongCall(format!("data folder {} does not exist", data_dir.display())).into());
    }
    let scope = Scope::console(arguments.institution.clone());
    let search = DeliverySearch {
        state: arguments.state.map(|state| match state {
            DeliveryStateArgument::Waiting => DeliveryState::Waiting,
            DeliveryStateArgument::Delivered => DeliveryState::Delivered,
            DeliveryStateArgument::Superseded => DeliveryState::Superseded,
        }),
        destination: arguments.destination.clone(),
        after: arguments.after.clone(),
        limit: Some(arguments.limit),
    };
    let (due, page) = block_on(with_engine(settings, &data_dir, async |engine| {
        let due = if arguments.retry {
            Some(engine.retry_deliveries(&scope, arguments.destination.as_ref()).await?)
        } else {
            None
        };
        Ok((due, engine.deliveries(&scope, &search).await?))
    }))?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&page)?);
        return Ok(());
    }
    if let Some(due) = due {
        println!("{due} deliveries are due now");
    }
    let headings = ["destination", "state", "tries", "next try", "message", "version", "study", "reason"];
    let mut rows = vec![headings.map(str::to_owned).to_vec()];
    rows.extend(page.items.into_iter().map(|delivery| {
        let waits = delivery.state == DeliveryState::Waiting;
        vec![
            delivery.destination,
            delivery.state.as_str().to_owned(),
            delivery.tries.to_string(),
            if waits { delivery.next_try_at } else { String::new() },
            delivery.control_id,
            delivery.version.to_string(),
            delivery.study_uid,
            delivery.reason.unwrap_or_default(),
        ]
    }));
    for line in table::lines(&rows) {
        println!("{line}");
    }
    if let Some(next) = page.next {
        eprintln!("hilum: there are more; --after {next} lists them");
    }
    Ok(())
}
