//! Integration tests of hilum-dicom: one binary, one module an act.

mod geometry;
mod pixels;
mod write;
