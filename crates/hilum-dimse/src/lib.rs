//! DICOM network services: associations, C-ECHO and C-STORE.
