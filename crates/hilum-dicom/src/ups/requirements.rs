//! PS3.4 Table CC.2.5-3 as data: what N-CREATE and N-SET may say, and what must be there at the end.

use dicom_core::Tag;
use dicom_dictionary_std::tags;

/// What the creator of a work item says of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtCreate {
    /// Type 1.
    Value,
    /// Type 2: it is there, with or without a value.
    Present,
    /// Type 2, without a value: the performer fills it.
    Empty,
    /// Type 3.
    Optional,
    /// Not for the creator to state.
    Forbidden,
}

/// What may be said of an attribute afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtSet {
    /// Anything.
    Allowed,
    /// A value: it cannot be emptied.
    Value,
    /// Nothing.
    Forbidden,
}

/// The attribute's Final State Code (PS3.4 Table CC.2.5-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtEnd {
    /// R: neither end without a value.
    Either,
    /// P: not COMPLETED without a value.
    Completed,
    /// X: not CANCELED without a value.
    Canceled,
    /// O.
    Optional,
}

/// A row of the table. Attributes that have no row may be stated by anybody.
#[derive(Clone, Copy, Debug)]
pub struct Requirement {
    /// The attribute, behind the sequences that hold it.
    pub path: &'static [Tag],
    /// By N-CREATE.
    pub create: AtCreate,
    /// By N-SET.
    pub set: AtSet,
    /// At the end.
    pub end: AtEnd,
}

const fn row(path: &'static [Tag], create: AtCreate, set: AtSet, end: AtEnd) -> Requirement {
    Requirement { path, create, set, end }
}

const PROGRESS: Tag = tags::PROCEDURE_STEP_PROGRESS_INFORMATION_SEQUENCE;
const PERFORMED: Tag = tags::UNIFIED_PROCEDURE_STEP_PERFORMED_PROCEDURE_SEQUENCE;
const PERFORMERS: Tag = tags::SCHEDULED_HUMAN_PERFORMERS_SEQUENCE;

/// The rows that ask for something.
pub const REQUIREMENTS: &[Requirement] = {
    use AtCreate::{Empty, Forbidden, Optional, Present, Value};
    use AtEnd::{Canceled, Completed, Either};
    use AtSet::{Allowed, Forbidden as Never};
    const NO: AtEnd = AtEnd::Optional;
    const VALUE: AtSet = AtSet::Value;
    &[
        row(&[tags::TRANSACTION_UID], Empty, Never, NO),
        // Unified Procedure Step Scheduled Procedure Information.
        row(&[tags::SCHEDULED_PROCEDURE_STEP_PRIORITY], Value, VALUE, Either),
        // The keeper of the worklist states it.
        row(&[tags::SCHEDULED_PROCEDURE_STEP_MODIFICATION_DATE_TIME], Forbidden, Never, Either),
        row(&[tags::PROCEDURE_STEP_LABEL], Value, VALUE, NO),
        row(&[tags::WORKLIST_LABEL], Present, VALUE, NO),
        row(&[tags::SCHEDULED_PROCESSING_PARAMETERS_SEQUENCE], Present, Allowed, NO),
        row(&[tags::SCHEDULED_STATION_NAME_CODE_SEQUENCE], Present, Allowed, NO),
        row(&[tags::SCHEDULED_STATION_CLASS_CODE_SEQUENCE], Present, Allowed, NO),
        row(&[tags::SCHEDULED_STATION_GEOGRAPHIC_LOCATION_CODE_SEQUENCE], Present, Allowed, NO),
        row(&[PERFORMERS, tags::HUMAN_PERFORMER_CODE_SEQUENCE], Value, VALUE, NO),
        row(&[PERFORMERS, tags::HUMAN_PERFORMER_NAME], Value, VALUE, NO),
        row(&[PERFORMERS, tags::HUMAN_PERFORMER_ORGANIZATION], Value, VALUE, NO),
        row(&[tags::SCHEDULED_PROCEDURE_STEP_START_DATE_TIME], Value, VALUE, Either),
        row(&[tags::SCHEDULED_WORKITEM_CODE_SEQUENCE], Present, VALUE, NO),
        row(&[tags::COMMENTS_ON_THE_SCHEDULED_PROCEDURE_STEP], Present, Allowed, NO),
        row(&[tags::INPUT_READINESS_STATE], Value, VALUE, Either),
        row(&[tags::INPUT_INFORMATION_SEQUENCE], Present, Allowed, NO),
        // Unified Procedure Step Relationship: whose step it is does not change.
        row(&[tags::PATIENT_NAME], Present, Never, NO),
        row(&[tags::PATIENT_ID], Present, Never, NO),
        row(&[tags::PATIENT_BIRTH_DATE], Present, Never, NO),
        row(&[tags::PATIENT_SEX], Present, Never, NO),
        row(&[tags::OTHER_PATIENT_I_DS_SEQUENCE], Optional, Never, NO),
        row(&[tags::ADMISSION_ID], Present, Never, NO),
        row(&[tags::ISSUER_OF_ADMISSION_ID_SEQUENCE], Present, Never, NO),
        row(&[tags::ADMITTING_DIAGNOSES_DESCRIPTION], Present, Never, NO),
        row(&[tags::ADMITTING_DIAGNOSES_CODE_SEQUENCE], Present, Never, NO),
        row(&[tags::REFERENCED_REQUEST_SEQUENCE], Present, Never, NO),
        row(&[tags::REFERENCED_REQUEST_SEQUENCE, tags::STUDY_INSTANCE_UID], Value, Never, NO),
        row(&[tags::REPLACED_PROCEDURE_STEP_SEQUENCE], Optional, Never, NO),
        // Unified Procedure Step Progress Information.
        row(&[tags::PROCEDURE_STEP_STATE], Value, Never, Either),
        row(&[PROGRESS], Empty, Allowed, Canceled),
        row(&[PROGRESS, tags::PROCEDURE_STEP_CANCELLATION_DATE_TIME], Forbidden, VALUE, Canceled),
        row(&[PROGRESS, tags::PROCEDURE_STEP_DISCONTINUATION_REASON_CODE_SEQUENCE], Forbidden, VALUE, Canceled),
        // Unified Procedure Step Performed Procedure Information.
        row(&[PERFORMED], Empty, Allowed, Completed),
        row(&[PERFORMED, tags::PERFORMED_STATION_NAME_CODE_SEQUENCE], Forbidden, Allowed, Completed),
        row(&[PERFORMED, tags::PERFORMED_WORKITEM_CODE_SEQUENCE], Forbidden, VALUE, Completed),
        row(&[PERFORMED, tags::PERFORMED_PROCEDURE_STEP_START_DATE_TIME], Forbidden, VALUE, Completed),
        row(&[PERFORMED, tags::PERFORMED_PROCEDURE_STEP_END_DATE_TIME], Forbidden, VALUE, Completed),
        row(&[PERFORMED, tags::OUTPUT_INFORMATION_SEQUENCE], Forbidden, Allowed, Completed),
    ]
};
