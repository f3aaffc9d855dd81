//! What a service's refusals mean. Its answers name the access key, and addresses name the bucket: neither is shown.

use crate::storage::StorageError;
use object_store::Error;
use std::error::Error as _;

/// Codes of S3 (API reference, "Error responses") that say: whoever asks may not.
const REFUSALS: [&str; 11] = [
    "AccessDenied",
    "AccountProblem",
    "AllAccessDisabled",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidSecurity",
    "InvalidToken",
    "NotSignedUp",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
];
/// Later, perhaps.
const BUSY: [&str; 6] =
    ["InternalError", "OperationAborted", "RequestTimeout", "ServiceUnavailable", "SlowDown", "TooManyRequests"];
/// No room: of a quota, or on the disks of a service of one's own.
const FULL: [&str; 5] =
    ["EntityTooLarge", "QuotaExceeded", "XMinioAdminBucketQuotaExceeded", "XMinioStorageFull", "InsufficientStorage"];
const ELSEWHERE: [&str; 3] =
    ["AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect"];

/// What went wrong, while `act` was done.
pub(super) fn during(act: &'static str) -> impl Fn(Error) -> StorageError {
    move |error| {
        let said = everything(&error);
        let code = code_of(&said);
        let is_one_of = |codes: &[&str]| code.is_some_and(|code| codes.contains(&code));
        let status = |status: &str| said.contains(&format!("status code: {status}"));
        let name = || code.filter(|code| is_plain(code)).unwrap_or("no code").to_owned();
        if code == Some("NoSuchBucket") {
            return StorageError::NoBucket;
        }
        if is_one_of(&ELSEWHERE) || said.contains("LOCATION") {
            return StorageError::OtherRegion;
        }
        if is_one_of(&FULL) || status("507") {
            return StorageError::DiskFull;
        }
        if is_one_of(&REFUSALS) || matches!(error, Error::PermissionDenied { .. } | Error::Unauthenticated { .. }) {
            return StorageError::AccessRefused { code: name() };
        }
        if matches!(error, Error::NotFound { .. }) {
            return StorageError::Gone;
        }
        if is_one_of(&BUSY) || ["429", "500", "502", "503", "504"].into_iter().any(status) {
            return StorageError::ServiceBusy { act };
        }
        if said.contains("HTTP error") {
            return StorageError::Unreachable { act };
        }
        StorageError::Service { act, code: name() }
    }
}

/// What the service was asked may be under way, or be done when it is asked again.
pub(super) fn is_passing(fault: &StorageError) -> bool {
    matches!(fault, StorageError::Unreachable { .. } | StorageError::ServiceBusy { .. } | StorageError::Gone)
}

/// The service does not know `If-None-Match` on PUT.
pub(super) fn is_not_implemented(error: &Error) -> bool {
    let said = everything(error);
    matches!(error, Error::NotImplemented { .. })
        || code_of(&said) == Some("NotImplemented")
        || said.contains("status code: 501")
}

/// The error and what led to it, in words.
fn everything(error: &Error) -> String {
    let mut said = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        said.push('\n');
        said.push_str(&error.to_string());
        source = error.source();
    }
    said
}

fn code_of(said: &str) -> Option<&str> {
    let (_, rest) = said.split_once("<Code>")?;
    Some(rest.split_once("</Code>")?.0)
}

fn is_plain(code: &str) -> bool {
    code.len() <= 64 && code.chars().all(|c| c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn refusal(status: u16, body: &str) -> Error {
        let said =
            format!("Error performing PUT http://x/y in 1ms - Server returned non-2xx status code: {status}: {body}");
        Error::Generic { store: "S3", source: said.into() }
    }

    #[test]
    fn each_refusal_is_of_a_kind_that_its_sender_is_told_and_none_repeats_what_the_service_said() {
        let table = [
            (404, "NoSuchBucket", "bucket_missing", ErrorKind::Busy),
            (403, "InvalidAccessKeyId", "bucket_refused", ErrorKind::Busy),
            (403, "RequestTimeTooSkewed", "bucket_refused", ErrorKind::Busy),
            (400, "AuthorizationHeaderMalformed", "bucket_elsewhere", ErrorKind::Busy),
            (503, "SlowDown", "bucket_busy", ErrorKind::Busy),
            (500, "", "bucket_busy", ErrorKind::Busy),
            (507, "", "disk_full", ErrorKind::OutOfSpace),
            (400, "XMinioStorageFull", "disk_full", ErrorKind::OutOfSpace),
            (400, "InvalidArgument", "bucket_failed", ErrorKind::Internal),
        ];
        for (status, code, ours, kind) in table {
            let body = format!("<Error><Code>{code}</Code><AWSAccessKeyId>AKIASECRET</AWSAccessKeyId></Error>");
            let error = during("keep an object")(refusal(status, &body));
            assert_eq!((error.code(), error.kind()), (ours, kind), "{status} {code}");
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("AKIASECRET") && !shown.contains("http://"), "{shown}");
        }
    }
}
