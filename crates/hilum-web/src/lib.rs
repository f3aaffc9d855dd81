//! HTTP: STOW-RS, the application's API, the embedded user interface.
