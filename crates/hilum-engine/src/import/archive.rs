//! Zip archives, one inside another too, without believing what they state about themselves.

use super::find::{Finder, LARGEST_FILE, Stopped, read_prefix};
use super::sniff::{self, Kind};
use std::borrow::Cow;
use std::io::{Read, Seek, SeekFrom, Write, copy};
use zip::ZipArchive;

/// Archives inside archives inside archives end here.
const DEEPEST: u32 = 3;
/// More members than this are not believed.
const MOST_MEMBERS: usize = 2_000_000;

/// Looks through an archive. Members that are no DICOM are left after their first bytes, so a bomb of them costs nothing.
pub(super) fn find(finder: &Finder, path: &str, mut file: impl Read + Seek, depth: u32) -> Result<(), Stopped> {
    if depth > DEEPEST {
        return finder.refuse(path.to_owned(), "nested_too_deep", "archives are nested deeper than 3; unpack it first");
    }
    let opened = file.seek(SeekFrom::Start(0)).ok().and_then(|_| ZipArchive::new(file).ok());
    let Some(mut archive) = opened.filter(|archive| archive.len() <= MOST_MEMBERS) else {
        return finder.refuse(
            path.to_owned(),
            "zip_damaged",
            "this zip archive cannot be read; copy or export it again",
        );
    };
    finder.expect(archive.len() as u64);
    for index in 0..archive.len() {
        let Ok(mut member) = archive.by_index(index) else {
            let shown = format!("{path}!member {}", index + 1);
            finder.refuse(
                shown,
                "zip_member_unreadable",
                "this member is encrypted or damaged; unpack the archive first",
            )?;
            continue;
        };
        if member.is_dir() {
            continue;
        }
        let inside = member.name().map_or_else(|_| format!("member {}", index + 1), Cow::into_owned);
        let shown = format!("{path}!{inside}");
        let Ok(first) = read_prefix(&mut member) else {
            finder.refuse(shown, "zip_member_unreadable", "this member is damaged")?;
            continue;
        };
        if sniff::kind(&first) == Kind::Zip && inside.to_lowercase().ends_with(".zip") {
            match unpack(finder, &first, &mut member) {
                Some(inner) => find(finder, &shown, inner, depth + 1)?,
                None => finder.refuse(
                    shown,
                    "zip_member_unreadable",
                    "this archive inside the archive cannot be unpacked",
                )?,
            }
            continue;
        }
        let file_name = inside.rsplit(['/', '\\']).next().map(|name| name.replace('\0', ""));
        // A stated size is only a hint for the budget; a false one cannot make us reserve more than a file may have.
        let length = member.size().min(LARGEST_FILE).max(first.len() as u64);
        finder.content(shown, file_name, &first, length, &mut member, false)?;
    }
    Ok(())
}

/// Unpacks an inner archive into a file without a name.
fn unpack(finder: &Finder, first: &[u8], rest: &mut impl Read) -> Option<std::fs::File> {
    let mut file = tempfile::tempfile_in(&finder.scratch).ok()?;
    file.write_all(first).ok()?;
    let copied = copy(&mut rest.take(LARGEST_FILE), &mut file).ok()?;
    (copied < LARGEST_FILE).then_some(file)
}
