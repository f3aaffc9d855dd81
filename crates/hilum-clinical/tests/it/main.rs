//! Tests of the clinical rules against independent oracles.

mod comparison;
mod guideline;
mod measure;
mod oracle;
mod report;
mod side;
mod sites;
mod skin;
