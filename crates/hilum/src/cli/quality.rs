//! The command that looks at how physicians agree with models.

use clap::Args;

#[derive(Debug, Args)]
pub struct QualityArguments {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
