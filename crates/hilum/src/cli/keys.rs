//! The commands that look after the installation's keys.

use clap::{Args, Subcommand};
use hilum_engine::keys::KeyId;

#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a key, with which what is new is encrypted from now on
    New(KeyNewArguments),
    /// List the keys, and what needs them
    List(KeyListArguments),
    /// Encrypt everything with the current key, or with a new one where everything is already; killed, the same command goes on
    Rotate(KeyRotateArguments),
    /// Take an old key that nothing needs any more out of the key file
    Forget(KeyForgetArguments),
}

#[derive(Debug, Args)]
pub struct KeyNewArguments {
    /// Print a key for HILUM_KEY instead of adding one to the key file
    #[arg(long)]
    pub print: bool,
}

#[derive(Debug, Args)]
pub struct KeyListArguments {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct KeyRotateArguments {
    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct KeyForgetArguments {
    /// Id of the key, as `hilum key list` prints it
    pub id: KeyId,
}
