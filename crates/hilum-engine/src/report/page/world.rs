//! What the typesetter can see: the templates, one JSON file, the key images, three embedded fonts. No disk, no network, no clock.

use std::collections::HashMap;
use std::sync::LazyLock;

use typst::diag::{FileError, FileResult};
use typst::foundations::{Bytes, Datetime, Duration};
use typst::syntax::{FileId, RootedPath, Source, VirtualPath, VirtualRoot};
use typst::text::{Font, FontBook};
use typst::utils::LazyHash;
use typst::{Library, LibraryExt, World};

use super::super::{KeyImage, ReportError};

const MAIN: &str = "report.typ";
const TEMPLATES: [(&str, &str); 4] = [
    (MAIN, include_str!("report.typ")),
    ("parts.typ", include_str!("parts.typ")),
    ("review.typ", include_str!("review.typ")),
    ("stone.typ", include_str!("stone.typ")),
];

/// Pretendard has Latin, Greek, Cyrillic, kana and every hangul syllable; Hilum Hanja has the 20,992 ideographs of
/// U+4E00..9FFF and the compatibility ideographs. See assets/fonts/README.md.
static FONTS: LazyLock<Vec<Font>> = LazyLock::new(|| {
    [
        include_bytes!("../../../assets/fonts/Pretendard-Regular.otf").as_slice(),
        include_bytes!("../../../assets/fonts/Pretendard-Bold.otf").as_slice(),
        include_bytes!("../../../assets/fonts/HilumHanja-Regular.otf").as_slice(),
    ]
    .into_iter()
    .flat_map(|data| Font::iter(Bytes::new(data)))
    .collect()
});
static BOOK: LazyLock<LazyHash<FontBook>> = LazyLock::new(|| LazyHash::new(FontBook::from_fonts(FONTS.iter())));
static LIBRARY: LazyLock<LazyHash<Library>> = LazyLock::new(|| LazyHash::new(Library::default()));

/// The files of one page.
pub(super) struct PageWorld {
    main: FileId,
    templates: HashMap<FileId, Source>,
    files: HashMap<FileId, Bytes>,
}

impl PageWorld {
    /// `content` becomes `/page.json`, key image `n` becomes `/key-n.png`. User data reach the template as values only.
    pub(super) fn new(content: Vec<u8>, key_images: &[KeyImage]) -> Result<Self, ReportError> {
        let mut files = HashMap::from([(file("page.json")?, Bytes::new(content))]);
        for (n, image) in key_images.iter().enumerate() {
            files.insert(file(&format!("key-{n}.png"))?, Bytes::new(image.png.clone()));
        }
        let source = |(name, text): (&str, &str)| {
            let id = file(name)?;
            Ok((id, Source::new(id, text.to_owned())))
        };
        let templates = TEMPLATES.into_iter().map(source).collect::<Result<_, ReportError>>()?;
        Ok(Self { main: file(MAIN)?, templates, files })
    }
}

fn file(name: &str) -> Result<FileId, ReportError> {
    let path = VirtualPath::new(name).map_err(|_| ReportError::Page(format!("{name} is no file name")))?;
    Ok(RootedPath::new(VirtualRoot::Project, path).intern())
}

impl World for PageWorld {
    fn library(&self) -> &LazyHash<Library> {
        &LIBRARY
    }

    fn book(&self) -> &LazyHash<FontBook> {
        &BOOK
    }

    fn main(&self) -> FileId {
        self.main
    }

    fn source(&self, id: FileId) -> FileResult<Source> {
        self.templates.get(&id).cloned().ok_or(FileError::AccessDenied)
    }

    fn file(&self, id: FileId) -> FileResult<Bytes> {
        self.files.get(&id).cloned().ok_or(FileError::AccessDenied)
    }

    fn font(&self, index: usize) -> Option<Font> {
        FONTS.get(index).cloned()
    }

    fn today(&self, _offset: Option<Duration>) -> Option<Datetime> {
        None
    }
}
