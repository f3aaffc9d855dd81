//! `hilum audit verify` and `hilum audit list`

use std::io::Write;

use anyhow::{Context, bail};
use hilum_engine::{
    EngineConfig,
    audit::{self, AuditSearch, AuditView, Verification},
    views::Page,
};

use crate::{
    cli::{AuditListArguments, AuditVerifyArguments},
    commands::{block_on, upkeep::existing, with_engine},
    failure::WrongCall,
    settings::Settings,
};

pub fn verify(settings: &Settings, arguments: &AuditVerifyArguments) -> anyhow::Result<()> {
    settings.start_log("error")?;
    let data_dir = existing(settings)?;
    let EngineConfig { catalogue, .. } = settings.engine(&data_dir);
    let found = block_on(async {
        let found = audit::verify(&catalogue, &data_dir, &arguments.head).await;
        found.with_context(|| format!("data folder {}", data_dir.display()))
    })?;
    let found = found.map_err(|error| WrongCall(error.to_string()))?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&found)?);
    } else {
        tell(&found);
    }
    match found.broken {
        None => Ok(()),
        Some(broken) => bail!("the audit trail is broken: {broken}"),
    }
}

fn tell(found: &Verification) {
    let Verification { head, events, known, processes, unended, .. } = found;
    println!("{events} events of {processes} processes are in order");
    if let Some(head) = head {
        println!("last event {} {}", head.number, head.hash);
    }
    for known in known {
        println!("known before: event {}", known.number);
    }
    for process in unended {
        println!("process {process} has written no end: it runs, or was killed");
    }
}

/// Events that are fetched at a time.
const PAGE: u32 = 1000;

pub fn list(settings: &Settings, arguments: &AuditListArguments) -> anyhow::Result<()> {
    settings.start_log("error")?;
    let data_dir = existing(settings)?;
    let AuditListArguments { action, outcome, actor_kind, actor, study, from, to, limit, json } = arguments;
    let mut search = AuditSearch {
        action: *action,
        outcome: *outcome,
        actor_kind: *actor_kind,
        actor: actor.clone(),
        study: study.clone(),
        from: *from,
        to: *to,
        after: None,
        limit: Some(PAGE),
    };
    block_on(with_engine(settings, &data_dir, async |engine| {
        let scope = engine.console_scope().await?;
        let mut left = *limit;
        let mut out = std::io::stdout().lock();
        while left > 0 {
            let Page { items, next } = engine.audit_trail(&scope, &search).await?;
            for event in items.iter().take(left) {
                if *json {
                    serde_json::to_writer(&mut out, event)?;
                    writeln!(out)?;
                } else {
                    writeln!(out, "{}", line(event)?)?;
                }
            }
            left = left.saturating_sub(items.len());
            search.after = next;
            if search.after.is_none() {
                break;
            }
        }
        Ok(())
    }))
}

fn line(event: &AuditView) -> anyhow::Result<String> {
    let AuditView { number, at, actor, address, action, outcome, institution, studies, detail, .. } = event;
    let who = match &actor.id {
        Some(id) => format!("{} {id}", actor.kind.as_str()),
        None => actor.kind.as_str().to_owned(),
    };
    let from = address.as_ref().map(|address| format!(" from {address}")).unwrap_or_default();
    let institution = institution.as_deref().unwrap_or("-");
    let detail = serde_json::to_string(detail)?;
    let detail = if detail == "{}" { "" } else { &detail };
    let told = [action.as_str(), outcome.as_str(), institution, &studies.join(" "), detail];
    let told: Vec<&str> = told.into_iter().filter(|part| !part.is_empty()).collect();
    Ok(format!("{number}  {at}  {who}{from}  {}", told.join("  ")))
}
