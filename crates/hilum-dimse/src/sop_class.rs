//! What this service accepts: storage SOP classes and the transfer syntaxes that a file may be kept in.

/// Verification SOP Class (PS3.4 Annex A).
pub(crate) const VERIFICATION: &str = "1.2.840.10008.1.1";
/// Storage Commitment Push Model SOP Class (PS3.4 J.3), and its one well-known instance.
pub(crate) const STORAGE_COMMITMENT: &str = "1.2.840.10008.1.20.1";
pub(crate) const STORAGE_COMMITMENT_INSTANCE: &str = "1.2.840.10008.1.20.1.1";
/// Explicit VR Little Endian (PS3.5 A.2).
pub(crate) const EXPLICIT_VR_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2.1";
/// Implicit VR Little Endian, the default transfer syntax (PS3.5 10.1).
pub(crate) const IMPLICIT_VR_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2";

/// The arc under which PS3.4 B.5 registers storage SOP classes, those of later editions included.
const STORAGE_ARC: &str = "1.2.840.10008.5.1.4.1.1.";

/// Members of that arc that are queries, retrievals or instances (PS3.6 Table A-1): protocol approval and inventory services.
const NOT_STORAGE: [&str; 9] = [
    "1.2.840.10008.5.1.4.1.1.200.4",
    "1.2.840.10008.5.1.4.1.1.200.5",
    "1.2.840.10008.5.1.4.1.1.200.6",
    "1.2.840.10008.5.1.4.1.1.201.1.1",
    "1.2.840.10008.5.1.4.1.1.201.2",
    "1.2.840.10008.5.1.4.1.1.201.3",
    "1.2.840.10008.5.1.4.1.1.201.4",
    "1.2.840.10008.5.1.4.1.1.201.5",
    "1.2.840.10008.5.1.4.1.1.201.6",
];

/// Storage SOP classes outside that arc: delivery instructions, non-patient objects (PS3.4 Annex GG), hard copy (retired).
const STORAGE_ELSEWHERE: [&str; 11] = [
    "1.2.840.10008.5.1.1.27",
    "1.2.840.10008.5.1.1.29",
    "1.2.840.10008.5.1.1.30",
    "1.2.840.10008.5.1.4.34.1",
    "1.2.840.10008.5.1.4.34.7",
    "1.2.840.10008.5.1.4.34.10",
    "1.2.840.10008.5.1.4.38.1",
    "1.2.840.10008.5.1.4.39.1",
    "1.2.840.10008.5.1.4.43.1",
    "1.2.840.10008.5.1.4.44.1",
    "1.2.840.10008.5.1.4.45.1",
];

/// Private storage SOP classes in wide use; more by configuration, as a private UID does not say what service it stands for.
const PRIVATE_STORAGE: [&str; 2] = [
    // Siemens CSA Non-Image
    "1.3.12.2.1107.5.9.1",
    // Toshiba private data
    "1.2.392.200036.9116.7.8.1.1.1",
];

/// Is this the UID of a storage SOP class of the standard, or of a private one in wide use?
pub fn is_storage_sop_class(uid: &str) -> bool {
    (uid.starts_with(STORAGE_ARC) && !NOT_STORAGE.contains(&uid))
        || STORAGE_ELSEWHERE.contains(&uid)
        || PRIVATE_STORAGE.contains(&uid)
}

/// Can a PS3.10 file be kept in this transfer syntax? All of PS3.5 Annex A, whether or not its pixels can be decoded here; not
/// the encodings of other things that share the arc (MIME, XML, real-time video), and no private ones, whose byte order and VR
/// nobody else knows.
pub fn is_stored_transfer_syntax(uid: &str) -> bool {
    let Some(rest) = uid.strip_prefix(IMPLICIT_VR_LITTLE_ENDIAN) else { return false };
    matches!(rest, "" | ".1" | ".1.98" | ".1.99" | ".2" | ".5" | ".8.1") || rest.starts_with(".4.")
}
