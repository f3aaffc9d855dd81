//! `hilum quality`

use hilum_engine::review::{Agreement, Share};

use crate::{
    cli::QualityArguments,
    commands::{block_on, upkeep::existing, with_engine},
    node::table,
    settings::Settings,
};

const HEADINGS: [&str; 10] = [
    "MONTH",
    "INSTITUTION",
    "MODEL",
    "REPORTS",
    "FINDINGS",
    "ACCEPTED",
    "EDITED",
    "REJECTED",
    "ADDED",
    "CONFIRMED (95 % CI)",
];

pub fn run(settings: &Settings, arguments: &QualityArguments) -> anyhow::Result<()> {
    settings.start_log("error")?;
    let data_dir = existing(settings)?;
    let agreement = block_on(with_engine(settings, &data_dir, async |engine| {
        Ok(engine.agreement(&engine.console_scope().await?).await?)
    }))?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&agreement)?);
        return Ok(());
    }
    if agreement.is_empty() {
        println!("no report was signed yet; each signed report counts here");
        return Ok(());
    }
    let mut rows = vec![HEADINGS.map(str::to_owned).to_vec()];
    rows.extend(agreement.iter().map(row));
    for line in table::lines(&rows) {
        println!("{line}");
    }
    println!(
        "\nMonths are those of the signatures (UTC). Findings of one patient are not independent: the true uncertainty is larger."
    );
    Ok(())
}

fn row(one: &Agreement) -> Vec<String> {
    let model = one.model_hash.as_deref().map_or("-", |hash| hash.get(..12).unwrap_or(hash));
    let counts = [one.reports, one.findings, one.accepted, one.edited, one.rejected, one.added];
    let mut row = vec![one.month.clone(), one.institution.as_str().to_owned(), model.to_owned()];
    row.extend(counts.map(|count| count.to_string()));
    row.push(told(&one.confirmed));
    row
}

fn told(share: &Share) -> String {
    match (share.share, share.ci95) {
        (Some(value), Some([low, high])) => {
            format!("{:.1} % ({:.1} to {:.1}), n = {}", 100.0 * value, 100.0 * low, 100.0 * high, share.of)
        }
        _ => "-".to_owned(),
    }
}
