//! Model artefact in, prediction out: body region, slice-by-slice prediction in bounded memory.
