//! Arguments of the commands that talk to other application entities.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use hilum_dicom::{AeTitle, SeriesUid, StudyUid};
use hilum_engine::{InstitutionCode, deliveries::DestinationName};

use crate::settings::RetrieveBy;

#[derive(Debug, Args)]
pub struct EchoArguments {
    /// AE title of a configured peer
    pub peer: AeTitle,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What to look for; `*` and `?` are wild cards where the standard has them.
#[derive(Clone, Debug, Args)]
pub struct KeyArguments {
    /// Patient ID
    #[arg(long, value_name = "ID")]
    pub patient_id: Option<String>,
    /// Patient's name, in any script: `HONG*`, `*홍*`
    #[arg(long)]
    pub name: Option<String>,
    /// Study date: YYYYMMDD, or a range as 20261101-20261130, 20261101- or -20261130
    #[arg(long, value_name = "DATE", allow_hyphen_values = true)]
    pub date: Option<String>,
    /// Modality: CT, MR, ...
    #[arg(long)]
    pub modality: Option<String>,
    /// Study description, at the series level the series description
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    /// Accession number
    #[arg(long, value_name = "NUMBER")]
    pub accession: Option<String>,
    /// Study Instance UID
    #[arg(long, value_name = "UID")]
    pub study: Option<StudyUid>,
    /// Series Instance UID; needs --study
    #[arg(long, value_name = "UID", requires = "study")]
    pub series: Option<SeriesUid>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum QueryLevel {
    Patient,
    Study,
    /// Needs --study
    Series,
    /// Needs --study and --series
    Image,
}

#[derive(Debug, Args)]
pub struct QueryArguments {
    /// AE title of a configured peer
    pub peer: AeTitle,
    /// What to list
    #[arg(long, value_enum, default_value = "study")]
    pub level: QueryLevel,
    #[command(flatten)]
    pub keys: KeyArguments,
    /// Ask for fuzzy matching of names, where the peer offers it
    #[arg(long)]
    pub fuzzy: bool,
    /// Stop the peer after so many matches
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// Print the matches as DICOM JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct RetrieveArguments {
    /// AE title of a configured peer
    pub peer: AeTitle,
    #[command(flatten)]
    pub keys: KeyArguments,
    /// C-GET or C-MOVE [default: the peer's retrieve_by]
    #[arg(long, value_enum)]
    pub by: Option<RetrieveBy>,
    /// Retrieve nothing where more studies than this match
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// Print what came as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct WorklistArguments {
    /// AE title of a configured peer
    pub peer: AeTitle,
    /// Scheduled start: YYYYMMDD or a range
    #[arg(long, value_name = "DATE", allow_hyphen_values = true)]
    pub date: Option<String>,
    /// Modality: CT, MR, ...
    #[arg(long)]
    pub modality: Option<String>,
    /// AE title of the station that is to perform it
    #[arg(long, value_name = "AE")]
    pub station: Option<String>,
    /// Patient ID
    #[arg(long, value_name = "ID")]
    pub patient_id: Option<String>,
    /// Patient's name, in any script
    #[arg(long)]
    pub name: Option<String>,
    /// Accession number
    #[arg(long, value_name = "NUMBER")]
    pub accession: Option<String>,
    /// Stop the peer after so many entries
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// Print the entries as DICOM JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct SendArguments {
    /// AE title of a configured peer
    pub peer: AeTitle,
    /// Study Instance UIDs of kept studies
    #[arg(required = true, value_name = "STUDY")]
    pub studies: Vec<StudyUid>,
    /// Ask the peer to commit to the safekeeping of what it took, and wait for the result
    #[arg(long)]
    pub commit: bool,
    /// How long to wait for that result, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "commit")]
    pub wait: u64,
    /// Institution that the studies belong to
    #[arg(long, value_name = "CODE", default_value = InstitutionCode::LOCAL)]
    pub institution: InstitutionCode,
    /// Print what became of every instance as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct WorklistImportArguments {
    /// DICOM worklist files (.wl, as dump2dcm makes them), or JSON files of one data set or a list of them
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Institution that the orders belong to
    #[arg(long, value_name = "CODE", default_value = InstitutionCode::LOCAL)]
    pub institution: InstitutionCode,
    /// Afterwards the worklist holds these orders alone
    #[arg(long)]
    pub replace: bool,
    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ForwardStateArgument {
    /// Due, or due again at the next try
    Waiting,
    /// The peer has it
    Sent,
    /// Given up after many refusals
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DeliveryStateArgument {
    /// Due, or due again at the next try
    Waiting,
    /// The receiver has taken it
    Delivered,
    /// A later version of the report took its place before it went
    Superseded,
}

#[derive(Debug, Args)]
pub struct DeliveriesArguments {
    /// Only those in this state
    #[arg(long, value_enum)]
    pub state: Option<DeliveryStateArgument>,
    /// Only those to this destination
    #[arg(long, value_name = "NAME")]
    pub destination: Option<DestinationName>,
    /// Make everything that waits due now
    #[arg(long)]
    pub retry: bool,
    /// Go on behind a listing
    #[arg(long, value_name = "NEXT")]
    pub after: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
    /// Institution that they belong to
    #[arg(long, value_name = "CODE", default_value = InstitutionCode::LOCAL)]
    pub institution: InstitutionCode,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ForwardsArguments {
    /// Only those in this state
    #[arg(long, value_enum)]
    pub state: Option<ForwardStateArgument>,
    /// Only those to this peer
    #[arg(long, value_name = "AE")]
    pub peer: Option<AeTitle>,
    /// Make everything that is not sent due now, what was given up too
    #[arg(long)]
    pub retry: bool,
    /// Go on behind a listing
    #[arg(long, value_name = "NEXT")]
    pub after: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
    /// Institution that they belong to
    #[arg(long, value_name = "CODE", default_value = InstitutionCode::LOCAL)]
    pub institution: InstitutionCode,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
