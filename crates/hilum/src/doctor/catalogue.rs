//! What the catalogue says of itself.

use hilum_engine::{Engine, EngineConfig, EngineError, Role, keys::counted};
use time::{Duration, OffsetDateTime};

use super::Finding;

/// A backup that is older than this is named.
const BACKUP_AGE: Duration = Duration::days(7);

/// Whether it opens and is sound, whether somebody looks after accounts, whether keys are missing, and how old the last backup is. Reads the catalogue as a whole, but no object; what goes wrong meanwhile is a finding.
pub async fn examine(config: EngineConfig) -> Vec<Finding> {
    let examined = async {
        let engine = Engine::open(config).await?;
        let found = of(&engine).await;
        engine.close().await;
        found
    };
    examined.await.unwrap_or_else(|error| {
        let advice = "see whether disk or database server are there and in order; restore a backup where they are";
        vec![Finding::serious("catalogue_unreadable", format!("the catalogue cannot be looked at: {error}"), advice)]
    })
}

async fn of(engine: &Engine) -> Result<Vec<Finding>, EngineError> {
    let faults = engine.catalogue_faults().await?;
    let advice = "stop the server and restore a backup, or let `hilum check --repair` make rows of the objects again";
    let finding = |fault| Finding::serious("catalogue_damaged", format!("the catalogue is damaged: {fault}"), advice);
    let mut findings: Vec<Finding> = faults.into_iter().map(finding).collect();
    findings.extend(accounts(engine).await?);
    Ok(findings)
}

/// What needs no look at the catalogue as a whole: accounts, keys and backups.
pub async fn accounts(engine: &Engine) -> Result<Vec<Finding>, EngineError> {
    let mut findings = Vec::new();
    if !engine.has_administrator().await? {
        findings.push(Finding::warning(
            "no_administrator",
            "nobody administers accounts yet: whoever sees the link that `hilum serve` prints may become the first",
            "open that link, or make an account with `hilum user add`",
        ));
    }
    let scope = engine.console_scope().await?;
    let alone = |account: &hilum_engine::accounts::AccountView| {
        let administers = account.roles.iter().any(|grant| grant.role == Role::Administrator);
        administers && !account.disabled && !account.second_factor
    };
    let alone = engine.accounts(&scope).await?.iter().filter(|account| alone(account)).count();
    if alone > 0 {
        findings.push(Finding::warning(
            "administrators_without_second_factor",
            format!("administrators who sign in with a password alone: {alone}"),
            "have them add a second factor in their account menu, or set second_factor = \"required\"",
        ));
    }
    let advice = "put it right from where a copy of the keys is kept";
    match engine.missing_keys(&scope).await {
        Ok(missing) => findings.extend(missing.into_iter().map(|key| {
            let text = format!("{} cannot be read: the key {} is not there", counted(&key.needed_for), key.id);
            Finding::serious("key_missing", text, advice)
        })),
        Err(EngineError::Key(error)) => {
            findings.push(Finding::serious("keys_unreadable", error.to_string(), advice));
        }
        Err(error) => return Err(error),
    }
    findings.extend(backups(engine.last_backup(&scope).await?, engine.holds_objects().await?));
    Ok(findings)
}

/// How old the last backup is.
fn backups(last: Option<OffsetDateTime>, holds_objects: bool) -> Option<Finding> {
    let advice = "make one with `hilum backup`, best every night and onto another machine's disk";
    match last.map(|last| OffsetDateTime::now_utc() - last) {
        None if !holds_objects => None,
        None => {
            Some(Finding::warning("no_backup", "no backup of this archive was ever finished by `hilum backup`", advice))
        }
        Some(age) if age > BACKUP_AGE => {
            let text = format!("the last backup was finished {} days ago", age.whole_days());
            Some(Finding::warning("backup_old", text, advice))
        }
        Some(age) => {
            let text = format!("the last backup was finished {} hours ago", age.whole_hours());
            Some(Finding::note("backup_age", text, "nothing, as long as that is what you want to lose at most"))
        }
    }
}
