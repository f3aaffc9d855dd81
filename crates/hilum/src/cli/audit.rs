//! The commands of the audit trail.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use hilum_dicom::StudyUid;
use hilum_engine::audit::{Action, ActorKind, Outcome};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Follow the whole audit trail and say whether anything of it was changed, taken out or cut off; works beside a running server
    Verify(AuditVerifyArguments),
    /// List events, the last one first; listing is an event, too
    List(AuditListArguments),
}

#[derive(Debug, Args)]
#[command(after_long_help = VERIFY_HELP)]
pub struct AuditVerifyArguments {
    /// File that names an event which must be in the trail: what an earlier `verify --json` printed, or backup.json of a backup; may
    /// be given several times
    #[arg(long, value_name = "FILE")]
    pub head: Vec<PathBuf>,
    /// Print what was found as JSON
    #[arg(long)]
    pub json: bool,
}

const VERIFY_HELP: &str = "\
Exit code 0: the trail is whole. Exit code 1: it is not, and the first event that is wrong is named.

Every event holds the hash of the one before it, so that nothing between two events can be changed unnoticed. Whoever may write into the
database and into the data folder can still write the whole trail anew, or cut off its end together with audit-head.json. What shows that
is a witness elsewhere: keep what --json prints, a backup, or send the trail to a syslog server ([audit] syslog).";

#[derive(Debug, Args)]
pub struct AuditListArguments {
    /// Of this action: sign_in, query, view, receive, import, export, send, delete, predict, ...
    #[arg(long)]
    pub action: Option<Action>,
    /// That ended so: done, refused or failed
    #[arg(long)]
    pub outcome: Option<Outcome>,
    /// By actors of this kind: account, peer, console or system
    #[arg(long, value_name = "KIND")]
    pub actor_kind: Option<ActorKind>,
    /// By this one: number of an account or AE title of a peer
    #[arg(long, value_name = "ID")]
    pub actor: Option<String>,
    /// That name this study
    #[arg(long, value_name = "UID")]
    pub study: Option<StudyUid>,
    /// Then or later, as in 2026-11-26T09:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub from: Option<OffsetDateTime>,
    /// Before then
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub to: Option<OffsetDateTime>,
    /// At most so many
    #[arg(long, default_value_t = 100)]
    pub limit: usize,
    /// Print a JSON object a line
    #[arg(long)]
    pub json: bool,
}

fn time(text: &str) -> Result<OffsetDateTime, String> {
    OffsetDateTime::parse(text, &Rfc3339).map_err(|_| "expected a time as in 2026-11-26T09:00:00Z".to_owned())
}
