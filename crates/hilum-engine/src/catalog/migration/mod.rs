//! The catalogue's migrations, in order.

mod m0001_first_tables;
mod m0002_study_search;
mod m0003_series_metadata;
mod m0004_network_node;
mod m0005_removals;
mod m0006_processes;
mod m0007_no_processes;
mod m0008_data_folder;
mod m0009_accounts;
mod m0010_audit;
mod m0011_secrets;
mod m0012_openid;
mod m0013_turns;
mod m0014_review;
mod m0015_results;
mod m0016_emr;
mod m0017_ups;
mod m0018_worklist;
mod m0019_viewer;
mod m0020_unread_by_stones;
mod m0021_state_in_orders;
mod m0022_digests;
mod m0023_unified_texts;
mod m0024_series_keys;

use sea_orm_migration::prelude::*;

pub(super) struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_first_tables::FirstTables),
            Box::new(m0002_study_search::StudySearch),
            Box::new(m0003_series_metadata::SeriesMetadata),
            Box::new(m0004_network_node::NetworkNode),
            Box::new(m0005_removals::Removals),
            Box::new(m0006_processes::Processes),
            Box::new(m0007_no_processes::NoProcesses),
            Box::new(m0008_data_folder::DataFolder),
            Box::new(m0009_accounts::Accounts),
            Box::new(m0010_audit::Audit),
            Box::new(m0011_secrets::Secrets),
            Box::new(m0012_openid::OpenId),
            Box::new(m0013_turns::Turns),
            Box::new(m0014_review::Review),
            Box::new(m0015_results::Results),
            Box::new(m0016_emr::Emr),
            Box::new(m0017_ups::Ups),
            Box::new(m0018_worklist::Worklist),
            Box::new(m0019_viewer::Viewer),
            Box::new(m0020_unread_by_stones::UnreadByStones),
            Box::new(m0021_state_in_orders::StateInOrders),
            Box::new(m0022_digests::Digests),
            Box::new(m0023_unified_texts::UnifiedTexts),
            Box::new(m0024_series_keys::SeriesKeys),
        ]
    }
}
