//! Integration tests of hilum-dicom: one binary, one module an act.

mod charset;
mod conformance;
mod damage;
mod dicomdir;
mod digest;
mod facts;
mod fuzz;
mod geometry;
mod header;
mod jpeg_lossless;
mod json;
mod objects;
mod oracle;
mod pixels;
mod recode;
mod results;
mod samples;
mod ups;
mod write;
