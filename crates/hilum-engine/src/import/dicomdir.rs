//! DICOMDIR: the files that its directory records name (PS3.10 8.6, PS3.3 F.3).

use super::find::{Finder, Stopped};
use hilum_dicom::header::{Header, HeaderError, Instance, Span};
use std::path::{Path, PathBuf};

/// PS3.10 8.6: the file that holds the directory is named DICOMDIR.
pub(crate) fn is_named(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.eq_ignore_ascii_case("DICOMDIR"))
}

/// Looks through the files that a DICOMDIR names.
pub(super) fn find(finder: &Finder, path: &Path) -> Result<(), Stopped> {
    let named = std::fs::read(path).ok().and_then(|bytes| referenced_files(&bytes).ok());
    let (Some(named), Some(folder)) = (named, path.parent()) else {
        let text = "this DICOMDIR cannot be read; import its folder instead";
        return finder.refuse(path.display().to_string(), "dicomdir_damaged", text);
    };
    finder.expect(named.len() as u64);
    for components in named {
        if let Some(file) = resolve(folder, &components) {
            finder.file(&file, true)?;
        } else {
            let shown = folder.join(components.join("/")).display().to_string();
            finder.refuse(shown, "file_missing", "the DICOMDIR names this file, but it is not there")?;
        }
    }
    Ok(())
}

/// Referenced File ID (0004,1500) of every record of the Directory Record Sequence (0004,1220), as path components.
fn referenced_files(bytes: &[u8]) -> Result<Vec<Vec<String>>, HeaderError> {
    let instance = Instance::parse(bytes)?;
    let (header, bytes): (&Header, &[u8]) = (instance.header(), instance.bytes());
    let mut files = Vec::new();
    let Some(records) = header.elements.iter().find(|e| (e.tag.0, e.tag.1) == (0x0004, 0x1220)) else {
        return Ok(files);
    };
    for record in header.items(bytes, records)? {
        let id = record.elements.iter().find(|e| (e.tag.0, e.tag.1) == (0x0004, 0x1500));
        let value = id.map(|element| Span::of(&element.value, bytes)).unwrap_or_default();
        let components: Vec<String> = String::from_utf8_lossy(value)
            .split('\\')
            .map(|component| component.trim_matches([' ', '\0']).to_owned())
            .filter(|component| !component.is_empty())
            .collect();
        // A component is a name, never a way out of the folder.
        let safe = components.iter().all(|component| component != ".." && !component.contains(['/', ':']));
        if safe && !components.is_empty() {
            files.push(components);
        }
    }
    Ok(files)
}

/// The file, whatever case the medium's file system gave its names.
fn resolve(folder: &Path, components: &[String]) -> Option<PathBuf> {
    components.iter().try_fold(folder.to_owned(), |folder, component| {
        let exact = folder.join(component);
        if exact.exists() {
            return Some(exact);
        }
        let entries = std::fs::read_dir(&folder).ok()?;
        entries.flatten().find(|entry| entry.file_name().eq_ignore_ascii_case(component)).map(|entry| entry.path())
    })
}
