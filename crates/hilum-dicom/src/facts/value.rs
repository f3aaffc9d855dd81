//! Values from bytes.
