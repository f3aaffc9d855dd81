//! Zip archives, one inside another too, without believing what they state about themselves.

use super::find::{Finder, LARGEST_FILE, Stopped, read_prefix};
use super::sniff::{self, Kind};
use std::borrow::Cow;
use std::cell::Cell;
use std::io::{self, Read, Seek, SeekFrom, Write, copy};
use zip::ZipArchive;

/// Archives inside archives inside archives end here.
const DEEPEST: u32 = 3;
/// More members than this are not believed.
const MOST_MEMBERS: usize = 2_000_000;

/// An archive may inflate to this, and to so many times its own length, everything inside it together. CT comes to two or three times, masks
/// to a hundred; a bomb to a thousand, and without end where its members overlap.
const INFLATED: u64 = 512 << 20;
const TIMES: u64 = 200;

/// Looks through an archive. Members that are no DICOM are left after their first bytes, so a bomb of them costs nothing.
pub(super) fn find(finder: &Finder, path: &str, mut file: impl Read + Seek) -> Result<(), Stopped> {
    let length = file.seek(SeekFrom::End(0)).unwrap_or(0);
    let left = Cell::new(INFLATED + TIMES * length);
    look_through(finder, path, file, 0, &left)?;
    if left.get() == 0 {
        let text =
            "this zip archive inflates to far more than its own length, as a bomb does; unpack it first and look at it";
        finder.refuse(path.to_owned(), "zip_bomb", text)?;
    }
    Ok(())
}

fn look_through(
    finder: &Finder,
    path: &str,
    mut file: impl Read + Seek,
    depth: u32,
    left: &Cell<u64>,
) -> Result<(), Stopped> {
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
        if left.get() == 0 {
            return Ok(());
        }
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
        let stated = member.size();
        let mut member = Inflating { member: &mut member, left };
        let Ok(first) = read_prefix(&mut member) else {
            finder.refuse(shown, "zip_member_unreadable", "this member is damaged")?;
            continue;
        };
        if sniff::kind(&first) == Kind::Zip && inside.to_lowercase().ends_with(".zip") {
            match unpack(finder, &first, &mut member) {
                Some(inner) => look_through(finder, &shown, inner, depth + 1, left)?,
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
        let length = stated.min(LARGEST_FILE).max(first.len() as u64);
        finder.content(shown, file_name, &first, length, &mut member, false)?;
    }
    Ok(())
}

/// A member, until nothing is left of what the whole archive may inflate to.
struct Inflating<'a, R> {
    member: &'a mut R,
    left: &'a Cell<u64>,
}

impl<R: Read> Read for Inflating<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.member.read(buffer)?;
        let left = self.left.get().saturating_sub(read as u64);
        self.left.set(left);
        if left == 0 { Err(io::Error::other("the archive inflates to too much")) } else { Ok(read) }
    }
}

/// Unpacks an inner archive into a file without a name.
fn unpack(finder: &Finder, first: &[u8], rest: &mut impl Read) -> Option<std::fs::File> {
    let mut file = tempfile::tempfile_in(&finder.scratch).ok()?;
    file.write_all(first).ok()?;
    let copied = copy(&mut rest.take(LARGEST_FILE), &mut file).ok()?;
    (copied < LARGEST_FILE).then_some(file)
}
