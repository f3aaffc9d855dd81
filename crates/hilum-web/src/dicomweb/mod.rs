//! DICOMweb (PS3.18): storing, searching, retrieving.

mod media_type;
mod multipart;
mod qido;
mod query;
mod retrieve;
mod store_response;
mod stow;
mod ups;

pub(crate) use ups::{Channels, TITLE_PATTERN};

use crate::doors::{Doors, Needs};
use crate::server::Server;
use hilum_engine::Permission;

const VIEW: Needs = Needs::May(Permission::View);

pub(crate) fn doors(server: &Server) -> Doors {
    let store = Needs::May(Permission::Store);
    let below = Doors::below(server, "/dicom-web")
        .post("/studies", store, stow::store, stow::said("Stores instances (STOW-RS, PS3.18 10.5)"))
        .post(
            "/studies/{study_uid}",
            store,
            stow::store_in_study,
            stow::said("Stores instances of one study (STOW-RS, PS3.18 10.5)"),
        );
    let below = ups::doors(retrieve::doors(qido::doors(below)));
    let wado = Doors::below(server, "").get("/wado", VIEW, retrieve::retrieve_by_uri, retrieve::said_of_uri());
    below.and(wado)
}
