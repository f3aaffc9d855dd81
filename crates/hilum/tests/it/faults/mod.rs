//! The program among peers and machines that fail: connections cut, lengths that lie, a full disk, and what is on the disk before success.

mod cuts;
mod full_disk;
mod huge_object;
mod lies;
mod long_series;
mod order;
pub mod wire;
