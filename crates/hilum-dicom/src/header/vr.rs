//! Value representations from bytes and from the dictionary.
