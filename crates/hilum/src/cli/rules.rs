//! The commands that look at rules.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// Print the rules, with their sources
    Show(RulesShowArguments),
    /// Print what the guidelines offer for a stone, and what they would need to know; for research and decision support
    Options(RulesOptionsArguments),
}

#[derive(Debug, Args)]
pub struct RulesShowArguments {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct RulesOptionsArguments {
    /// What is known: place=lower_pole diameter_mm=12 hu_mean=850 infection=no ...
    #[arg(value_name = "NAME=VALUE", required = true)]
    pub known: Vec<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
