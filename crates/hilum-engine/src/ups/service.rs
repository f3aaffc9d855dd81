//! The services that work items can ask for, and which work items ask for one.

use dicom_dictionary_std::tags;
use hilum_dicom::{AeTitle, DataSet};

/// Code Value of the reading of CT for urinary stones.
pub const SERVICE_CODE: &str = "urinary-stone";
/// Its coding scheme, and that of our stations.
pub const SERVICE_SCHEME: &str = "99HILUM";
const SERVICE_MEANING: &str = "CT reading for urinary stones";

/// For whom a work item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Addressed {
    /// For a service of ours.
    Service,
    /// For our station, and something that it cannot do.
    Unknown,
    /// For somebody else.
    Elsewhere,
}

/// A work item without a station is for whoever knows its code; one without a code for our station is for its one service.
pub(super) fn addressed(item: &DataSet, title: &AeTitle) -> Addressed {
    let is = |code: &DataSet, value: &str| code.text(tags::CODE_VALUE) == Some(value);
    let of_ours = |code: &DataSet| code.text(tags::CODING_SCHEME_DESIGNATOR) == Some(SERVICE_SCHEME);
    let codes = item.items(tags::SCHEDULED_WORKITEM_CODE_SEQUENCE);
    let stations = item.items(tags::SCHEDULED_STATION_NAME_CODE_SEQUENCE);
    let known = codes.iter().any(|code| is(code, SERVICE_CODE) && of_ours(code));
    let here = stations.iter().any(|station| is(station, title.as_str()));
    match (known, here) {
        (true, _) if here || stations.is_empty() => Addressed::Service,
        (false, true) if codes.is_empty() => Addressed::Service,
        (false, true) => Addressed::Unknown,
        _ => Addressed::Elsewhere,
    }
}

/// What was done, as a code.
pub(super) fn workitem_code() -> DataSet {
    code(SERVICE_CODE, SERVICE_SCHEME, SERVICE_MEANING)
}

/// Who did it, as a code.
pub(super) fn station_code(title: &AeTitle) -> DataSet {
    code(title.as_str(), SERVICE_SCHEME, "Hilum")
}

/// An item of a code sequence.
pub(super) fn code(value: &str, scheme: &str, meaning: &str) -> DataSet {
    let mut item = DataSet::new();
    item.set(tags::CODE_VALUE, value).set(tags::CODING_SCHEME_DESIGNATOR, scheme).set(tags::CODE_MEANING, meaning);
    item
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_work_item_is_ours_by_its_code_or_its_station_and_never_against_its_station() {
        let ours = || code(SERVICE_CODE, SERVICE_SCHEME, "x");
        let other = || code("118293004", "SCT", "x");
        let here = || code("HILUM", "L", "x");
        let there = || code("OTHER", "L", "x");
        for (codes, stations, expected) in [
            (vec![ours()], vec![], Addressed::Service),
            (vec![ours()], vec![here()], Addressed::Service),
            (vec![other(), ours()], vec![there(), here()], Addressed::Service),
            (vec![ours()], vec![there()], Addressed::Elsewhere),
            (vec![], vec![here()], Addressed::Service),
            (vec![other()], vec![here()], Addressed::Unknown),
            (vec![code(SERVICE_CODE, "99OTHER", "x")], vec![], Addressed::Elsewhere),
            (vec![], vec![], Addressed::Elsewhere),
        ] {
            let mut item = DataSet::new();
            item.set_items(tags::SCHEDULED_WORKITEM_CODE_SEQUENCE, codes.clone())
                .set_items(tags::SCHEDULED_STATION_NAME_CODE_SEQUENCE, stations.clone());
            assert_eq!(addressed(&item, &AeTitle::hilum()), expected, "{codes:?} {stations:?}");
        }
    }
}
