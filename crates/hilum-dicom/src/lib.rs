//! DICOM words: UIDs, character sets, header walk, geometry of a slice stack, pixel data in HU, writing CT.
