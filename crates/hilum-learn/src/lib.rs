//! Training: plan file, patients and patches, training loop, evaluation, model folder.
