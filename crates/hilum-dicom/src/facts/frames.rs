//! Enhanced multi-frame functional groups.
