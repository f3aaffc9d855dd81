//! Tests of the clinical rules against independent oracles.

mod comparison;
mod density;
mod guideline;
mod measure;
mod nephrolithometry;
mod oracle;
mod report;
mod side;
mod sites;
mod skin;
#[path = "../trial/mod.rs"]
#[allow(dead_code, reason = "shared with the bench")]
mod trial;
#[path = "../../benches/sites/truth.rs"]
#[allow(dead_code, reason = "shared with the bench")]
mod truth;
