//! What the catalogue says of itself.

use hilum_engine::{Engine, EngineConfig, EngineError};

use super::Finding;

/// Whether it opens and is sound, and whether somebody looks after accounts. Reads the catalogue as a whole, but no object; what goes wrong meanwhile is a finding.
pub async fn examine(config: EngineConfig) -> Vec<Finding> {
    let examined = async { of(&Engine::open(config).await?).await };
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
    if !engine.has_administrator().await? {
        findings.push(Finding::warning(
            "no_administrator",
            "nobody administers accounts yet: whoever sees the link that `hilum serve` prints may become the first",
            "open that link, or make an account with `hilum user add`",
        ));
    }
    Ok(findings)
}
